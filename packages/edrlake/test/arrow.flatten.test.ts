import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { RecordBatch, type Table, tableFromIPC } from 'apache-arrow';
import { describe, expect, test } from 'vitest';
import { type EventTables, flatten, flattenStream } from '../src/arrow.ts';
import { backfill, connect, defineDataset, events, field, type Lake, openLake, QUALYS_FIM } from '../src/index.ts';
import { manualClock, startTestGateway } from '../src/testing.ts';

const DAYS = { from: '2020-08-17', to: '2020-08-18' };

const withFolder = async (work: (directory: string) => Promise<void>) => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-arrow-'));
  try {
    await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
};

const stored = (lake: Lake, table: string): Promise<Table> => lake.query(`from ${table}`).toArrow();

/** The order of members inside JSON carries no meaning. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(members.map(([name, member]) => [name, sorted(member)]));
}

/** Rows as text in one order: for comparing what a table holds. JSON is compared as what it says. */
function rowsOf(table: Table, json: ReadonlySet<string>): string[] {
  const names = table.schema.names.map(String);
  const plain = (name: string, value: unknown) =>
    typeof value === 'bigint'
      ? `${value}n`
      : json.has(name) && value !== null
        ? sorted(JSON.parse(String(value)))
        : value;
  return table
    .toArray()
    .map((row) => JSON.stringify(names.map((name) => [name, plain(name, row[name])])))
    .sort();
}

const schemaOf = (table: Table) => table.schema.fields.map(({ name, type, nullable }) => `${name} ${type} ${nullable}`);

describe('flatten', () => {
  test.each(['qualys-edr', 'qualys-fim'] as const)(
    'gives the columns, types and values that the lake has, of %s',
    async (name) => {
      const dataset = name === 'qualys-fim' ? QUALYS_FIM : undefined;
      const about = {
        settings: { ...(dataset && { dataset }) },
        ...(dataset === undefined && { unknownFieldShare: 0.1 }),
      };
      await withFolder(async (directory) => {
        await using gateway = await startTestGateway({ ...DAYS, events: 400, seed: 5, nullIdShare: 0.02, ...about });
        await using lake = await openLake(directory, { ...(dataset && { dataset }) });
        const { outcome } = await backfill(lake, gateway.source, { ...DAYS, maxRejectShare: 1 });
        expect(outcome).toBe('done');
        const delivered: object[] = [];
        for await (const page of events<object>(gateway.source, DAYS)) delivered.push(...page.events);
        const tables = flatten(delivered, { ...(dataset && { dataset }) });
        expect(Object.keys(tables)).toEqual(lake.dataset.tables.map((table) => table.name));
        for (const spec of lake.dataset.tables.filter((table) => table.name !== 'rejects')) {
          const json = new Set(spec.columns.flatMap((column) => (column.type === 'json' ? [column.name] : [])));
          const held = await stored(lake, spec.name);
          const made = tables[spec.name] as Table;
          expect(made.numRows, spec.name).toBeGreaterThan(0);
          expect(schemaOf(made)).toEqual(schemaOf(held));
          const [found, expected] = [rowsOf(made, json), rowsOf(held, json)];
          expect(found.find((row, index) => row !== expected[index])).toBe(undefined);
          expect(found.length).toBe(expected.length);
        }
        expect(schemaOf(tables.rejects)).toEqual(schemaOf(await stored(lake, 'rejects')));
        expect(tables.events.numRows + tables.rejects.numRows).toBe(400);
      });
    },
  );

  const event = (more: object) => ({ id: 'a', dateTime: '2020-08-17T04:15:06.123Z', ...more });
  const cells = ({ events: table }: EventTables, column: string) => [...(table.getChild(column) ?? [])];

  test('leaves the newest of several events with one id, in its place', () => {
    const tables = flatten([
      event({ id: 'b', score: 0 }),
      event({ eventProcessedTime: '2020-08-18T00:00:00Z', score: 1, asset: { tags: [{ id: 1 }] } }),
      event({ eventProcessedTime: '2020-08-19T00:00:00Z', score: 2, asset: { tags: [{ id: 2 }] } }),
      event({ score: 3, asset: { tags: [{ id: 3 }] } }),
      event({ id: 'c', dateTime: '2020-08-17T04:15:06Z', score: 4 }),
      event({ id: 'c', dateTime: '2020-08-17T04:15:07Z', score: 5 }),
      event({ id: 'c', dateTime: '2020-08-17T04:15:07Z', score: 6 }),
    ]);
    expect(cells(tables, 'event_id')).toEqual(['b', 'a', 'c']);
    expect(cells(tables, 'score')).toEqual([0, 2, 6]);
    expect([...(tables.asset_tags?.getChild('tag_id') ?? [])]).toEqual([2n]);
  });

  test('keeps digits that a number has lost in text and in bigints, and times to the year 9999', () => {
    const text =
      '{"id":"t","dateTime":"2020-08-17T04:15:06Z","file":{"size":9007199254740993},"new":[1.0,12345678901234567890]}';
    const object = event({
      file: { size: 9007199254740993n, certificates: [{ expiryDate: '9999-12-31T23:59:59.999Z' }] },
    });
    const tables = flatten([text, object]);
    expect(cells(tables, 'file_size')).toEqual([9007199254740993n, 9007199254740993n]);
    expect(cells(tables, 'extra')).toEqual(['{"new":[1.0,12345678901234567890]}', null]);
    const [expiry] = tables.certificates?.batches[0]?.getChild('expiry_time')?.data[0]?.values ?? [];
    expect(expiry).toBe(253_402_300_799_999_000n);
  });

  test('makes rejects of what is no event, on the day that its clock says', () => {
    const clock = manualClock(Date.UTC(2026, 10, 28));
    const { events: none, rejects } = flatten(['no JSON', [1], event({ id: null })], { clock });
    expect(none.numRows).toBe(0);
    expect(rejects.toArray().map(({ ingest_date, window_id, reason }) => [ingest_date, window_id, reason])).toEqual(
      ['not an object', 'not an object', 'no id'].map((reason) => [clock.nowMs(), null, reason]),
    );
  });

  test('reads what JSON.stringify would write, and refuses an event that contains itself', () => {
    const own = { toJSON: () => ({ b: undefined, c: Number.NaN }) };
    const tables = flatten([event({ dateTime: new Date('2020-08-17T00:00:00Z'), own, left: undefined, f: () => 1 })]);
    expect(cells(tables, 'event_time')).toEqual([Date.UTC(2020, 7, 17)]);
    expect(cells(tables, 'extra')).toEqual(['{"own":{"c":null}}']);
    const circle: Record<string, unknown> = event({});
    circle.self = circle;
    expect(() => flatten([circle])).toThrow(expect.objectContaining({ code: 'USAGE' }));
  });
});

describe('flattenStream', () => {
  test('gives batches within its bounds, with every row in order, and rejects by their window', async () => {
    await using gateway = await startTestGateway({ ...DAYS, events: 600, seed: 7, nullIdShare: 0.05 });
    const delivered: object[] = [];
    const windows = new Set<string>();
    async function* pages() {
      for await (const page of events(gateway.source, DAYS)) {
        delivered.push(...page.events);
        windows.add(page.windowId);
        yield page;
      }
    }
    const rows = new Map<string, Record<string, unknown>[]>();
    for await (const { table, batch } of flattenStream(pages(), { maxRows: 100 })) {
      expect(batch.numRows).toBeLessThanOrEqual(100);
      expect(batch.numRows).toBeGreaterThan(0);
      for (const row of batch) rows.set(table, [...(rows.get(table) ?? []), row?.toJSON() ?? {}]);
    }
    const whole = flatten(delivered);
    for (const name of ['events', 'certificates', 'asset_tags']) {
      expect(rows.get(name), name).toEqual(whole[name]?.toArray().map((row) => row.toJSON()));
    }
    const rejects = rows.get('rejects') ?? [];
    expect(rejects.length).toBe(whole.rejects.numRows);
    expect(rejects.length).toBeGreaterThan(0);
    expect(rejects.filter(({ window_id }) => !windows.has(String(window_id)))).toEqual([]);
  });

  test('bounds batches by bytes, takes lists and single events, and makes rejects of unreadable records', async () => {
    const wide = (n: number) => ({ id: `e${n}`, dateTime: '2020-08-17T00:00:00Z', note: 'x'.repeat(10_000) });
    const sizes = async (input: Parameters<typeof flattenStream>[0], options = {}) => {
      const found: [string, number][] = [];
      for await (const { table, batch } of flattenStream(input, options)) found.push([table, batch.numRows]);
      return found;
    };
    const many = Array.from({ length: 10 }, (_, n) => wide(n));
    expect(await sizes(many, { maxBytes: 25_000 })).toEqual([3, 3, 3, 1].map((rows) => ['events', rows]));
    expect(await sizes([many, many])).toEqual([['events', 20]]);
    const range = { startMs: 0, endMs: 1 };
    const unreadable = [{ reason: 'too large', fields: { id: 'big', dateTime: '2020-08-17T00:00:00Z' } }];
    const page = { events: [wide(1)], unreadable, range, windowId: 'w', pageNumber: 0 };
    expect(await sizes([page])).toEqual([
      ['events', 1],
      ['rejects', 1],
    ]);
  });

  test('asks for no more than it needs, and ends the input when the reader leaves', async () => {
    let [asked, ended] = [0, false];
    async function* endless() {
      try {
        for (;;) yield { id: `e${asked++}`, dateTime: '2020-08-17T00:00:00Z' };
      } finally {
        ended = true;
      }
    }
    for await (const { batch } of flattenStream(endless(), { maxRows: 10 })) {
      expect(batch.numRows).toBe(10);
      break;
    }
    expect({ asked, ended }).toEqual({ asked: 10, ended: true });
  });

  test('stops at its signal, and refuses bounds that hold nothing', async () => {
    const codeOf = (options: object) =>
      flattenStream([{ id: 'a' }], options)
        .next()
        .catch(({ code }) => code);
    expect(await codeOf({ signal: AbortSignal.abort() })).toBe('INTERRUPTED');
    expect(await codeOf({ maxRows: 0 })).toBe('USAGE');
  });
});

test('a query gives arrays, and Arrow as a table, as batches and as a stream, of the copy that the program has', async () => {
  await withFolder(async (directory) => {
    await using lake = await openLake(directory);
    const query = lake.query<{ n: number }>("select range as n, 'é' as n from range(40000)");
    const [first] = await query.toArray();
    expect(first).toEqual({ n: 0, 'n:1': 'é' });
    for await (const [n, text] of query.arrays<[number, string]>()) {
      expect([n, text]).toEqual([0, 'é']);
      break;
    }
    const table = await query.toArrow();
    expect([table.numRows, table.batches[0] instanceof RecordBatch]).toEqual([40_000, true]);
    let rows = 0;
    for await (const batch of query.toArrowBatches()) rows += batch.numRows;
    expect(rows).toBe(40_000);
    const parts: Uint8Array[] = [];
    for await (const part of query.toArrowStream()) parts.push(part);
    expect(tableFromIPC(Buffer.concat(parts)).getChild('n')?.get(39_999)).toBe(39_999n);
    await expect(lake.query(`select (1${'0'.repeat(38)})::hugeint as h`).toArrow()).rejects.toMatchObject({
      code: 'QUERY_FAILED',
    });
  });
});

test('a dataset of your own is exported through the front door, once, and only into its own lake', async () => {
  const server = createServer((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://doors');
    const all = Array.from({ length: 250 }, (_, n) => ({
      uuid: `d${n}`,
      at: new Date(Date.UTC(2026, 7, 17) + n).toISOString(),
      received: '2026-08-17T01:00:00Z',
    }));
    const page = Number(searchParams.get('page'));
    const isIn = ({ at }: { at: string }) =>
      Date.parse(at) >= Number(searchParams.get('from')) && Date.parse(at) < Number(searchParams.get('to'));
    const found = all.filter(isIn);
    response.end(JSON.stringify(pathname === '/count' ? found.length : found.slice(page * 100, page * 100 + 100)));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const doors = defineDataset({
    name: 'doors',
    identity: 'uuid',
    times: { event: 'at', processed: 'received' },
    tables: { events: { columns: [field('door', 'text', 'door', 'name of the door')] } },
    source: (base: string) => ({
      name: 'doors',
      pageSize: 100,
      maxResultWindow: 1_000,
      count: async ({ range }) =>
        (await fetch(`${base}/count?from=${range.startMs}&to=${range.endMs}`)).json() as Promise<number>,
      page: async ({ range }, page, read) => {
        const answer = await fetch(`${base}/events?from=${range.startMs}&to=${range.endMs}&page=${page}`);
        return read(Readable.from([Buffer.from(await answer.arrayBuffer())]));
      },
    }),
  });
  try {
    await withFolder(async (directory) => {
      const access = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      await using source = await connect({ dataset: doors, access });
      await using lake = await openLake(join(directory, 'doors'), { dataset: doors });
      const day = { from: '2026-08-17', to: '2026-08-17' };
      expect(await backfill(lake, source, day)).toMatchObject({ outcome: 'done', events: { new: 250 } });
      const made = source.requestsMade();
      expect(made).toBeGreaterThan(0);
      expect(await backfill(lake, source, day)).toMatchObject({ outcome: 'done', events: { new: 0 } });
      expect(await lake.query('select count(distinct event_id)::int as n from events').toArray()).toEqual([{ n: 250 }]);
      expect(flatten([{ uuid: 'x', at: '2026-08-17T00:00:00Z' }], { dataset: doors }).events.numRows).toBe(1);
      await using other = await openLake(join(directory, 'edr'));
      await expect(backfill(other, source, day)).rejects.toMatchObject({ code: 'USAGE' });
      await expect(openLake(join(directory, 'doors'))).rejects.toMatchObject({ code: 'LAKE_OTHER_DATASET' });
    });
  } finally {
    server.close();
  }
});
