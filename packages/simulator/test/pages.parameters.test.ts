import { describe, expect, it } from 'vitest';
import { allPages, between, countOf, DAY_MS, gateway, reader, START_MS } from './gateway.ts';

const text = (row: unknown) =>
  row as Record<string, never> & { dateTime: string; id: string; action: string; type: string };

describe('GET /ioc/events', () => {
  it('shows ten by default, newest first', async () => {
    const rows = (await (await reader(await gateway()))('')).json().map(text);
    expect(rows).toHaveLength(10);
    const times = rows.map((row) => row.dateTime);
    expect(times).toEqual([...times].sort().reverse());
    expect(times[0]).toMatch(/^2020-08-18T23:\d\d:\d\d\.\d{3}\+0000$/);
  });

  it('pages through everything in the requested order, each event once', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const rows = await allPages(read, { sort: '[{"event.dateTime":"asc"},{"id":"asc"}]' }, 700);
    const ids = rows.map((row) => text(row).id);
    expect(new Set(ids)).toEqual(new Set(simulator.truth.ids()));
    expect(ids).toHaveLength(3000);
    expect(simulator.calls.of('events').map((call) => call.rows)).toEqual([700, 700, 700, 700, 200]);
  });

  it('selects whole days by fromDate and toDate at any time of day', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const noon = String((START_MS + DAY_MS / 2) / 1000);
    const dayTwo = String((START_MS + DAY_MS + 5000) / 1000);
    const first = simulator.truth.count({ startMs: START_MS, endMs: START_MS + DAY_MS });
    expect(await countOf(read, '', { fromDate: noon, toDate: noon })).toBe(first);
    expect(await countOf(read, '', { fromDate: dayTwo })).toBe(3000 - first);
    expect(await countOf(read, '', { fromDate: noon, toDate: dayTwo })).toBe(3000);
    expect((await read('', { fromDate: '2020-08-17' })).status).toBe(400);
  });

  it.each([
    ['[{"action":"asc"}]', (row: ReturnType<typeof text>) => row.action, false],
    ['[{"type":"desc"},{"action":"asc"}]', (row: ReturnType<typeof text>) => row.type, true],
    ['{"id":"asc"}', (row: ReturnType<typeof text>) => row.id, false],
  ])('sorts by %s', async (sort, value, descending) => {
    const rows = (await allPages(await reader(await gateway()), { sort })).map(text);
    const values = rows.map(value);
    expect(rows).toHaveLength(3000);
    const sorted = [...values].sort();
    expect(values).toEqual(descending ? sorted.reverse() : sorted);
  });

  it('breaks ties of a millisecond by the next key, also across pages', async () => {
    const profile = { busyMillisecondEvents: 1500 };
    const read = await reader(await gateway({ profile }));
    for (const direction of ['asc', 'desc']) {
      const sort = `[{"event.dateTime":"${direction}"},{"id":"asc"}]`;
      const rows = (await allPages(read, { sort }, 400)).map(text);
      const sign = direction === 'asc' ? 1 : -1;
      const expected = [...rows].sort((a, b) =>
        a.dateTime === b.dateTime ? (a.id < b.id ? -1 : 1) : a.dateTime < b.dateTime ? -sign : sign,
      );
      expect(rows.map((row) => row.id)).toEqual(expected.map((row) => row.id));
      expect(new Set(rows.map((row) => row.id)).size).toBe(3000);
    }
  });

  it('reaches only the first 10,000 results and pages up to the maximum', async () => {
    const read = await reader(await gateway({ events: 12_000 }));
    expect((await read('', { pageSize: '1000', pageNumber: '9' })).json()).toHaveLength(1000);
    expect((await read('', { pageSize: '1000', pageNumber: '10' })).status).toBe(400);
    expect((await read('', { pageSize: '999', pageNumber: '10' })).status).toBe(400);
    for (const pageSize of ['1001', '0', '-1', 'x']) expect((await read('', { pageSize })).status).toBe(400);
    expect((await read('', { pageNumber: '-1' })).status).toBe(400);
  });

  it('shows only included attributes, or all but the excluded', async () => {
    const read = await reader(await gateway());
    const included = (await read('', { include_attributes: '_id, asset.hostName', exclude_attributes: 'id' })).json();
    for (const row of included) {
      expect(Object.keys(row).sort()).toEqual(['asset', 'id']);
      expect(Object.keys(row.asset as object)).toEqual(['hostName']);
    }
    const excluded = (await read('', { exclude_attributes: 'asset,type' })).json();
    for (const row of excluded) expect(row).not.toHaveProperty('asset');
    for (const row of excluded) expect(row).toHaveProperty('dateTime');
  });

  it('shows only the current state when asked', async () => {
    const read = await reader(await gateway());
    const current = await countOf(read, '', { state: 'true' });
    expect(current).toBeGreaterThan(600);
    expect(current).toBeLessThan(1200);
    expect(await allPages(read, { state: 'true' })).toHaveLength(current);
    expect(await countOf(read, '', { state: 'false' })).toBe(3000);
    expect((await read('', { state: 'maybe' })).status).toBe(400);
  });

  it('answers nothing found with an empty array or with 204', async () => {
    const filter = between(START_MS - DAY_MS, START_MS);
    expect((await (await reader(await gateway()))('', { filter })).text).toBe('[]');
    const bare = await (await reader(await gateway({ emptyAnswer: '204' })))('', { filter });
    expect([bare.status, bare.text]).toEqual([204, '']);
  });

  it('compresses for clients that accept it', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const plain = await read('', { pageSize: '500' }, { 'accept-encoding': 'identity' });
    const small = await read('', { pageSize: '500' }, { 'accept-encoding': 'gzip' });
    expect(small.headers.get('content-encoding')).toBe('gzip');
    expect(small.text).toBe(plain.text);
    const [plainBytes, gzipBytes] = simulator.calls.of('events').map((call) => call.bodyBytes);
    expect(gzipBytes).toBeLessThan((plainBytes as number) / 2);
  });

  it('serves the same from memory, until the data changes', async () => {
    const simulator = await gateway({ pageCacheBytes: 3_000_000 });
    const read = await reader(simulator);
    const params = { pageSize: '500', sort: '[{"event.dateTime":"asc"}]' };
    const first = await read('', params);
    expect((await read('', params)).text).toBe(first.text);
    expect((await read('', params, { 'accept-encoding': 'identity' })).text).toBe(first.text);
    expect((await read('', { ...params, pageNumber: '1' })).text).not.toBe(first.text);
    simulator.faults.push({ kind: 'reorder' });
    expect((await read('', params)).text).not.toBe(first.text);
    simulator.removeEvents([0]);
    expect((await read('', params)).json()).toEqual(
      [...simulator.truth.indexes()].slice(0, 500).map(simulator.truth.event),
    );
  });

  it('gives the same bytes for the same seed and others for another', async () => {
    const pages = [];
    for (const seed of [5, 5, 6])
      pages.push((await (await reader(await gateway({ seed })))('', { pageSize: '300' })).text);
    expect(pages[0]).toBe(pages[1]);
    expect(pages[0]).not.toBe(pages[2]);
  });

  it('serves another prefix, and nothing but GET and known paths', async () => {
    const simulator = await gateway({ apiPrefix: '/ioc/v1' });
    const read = await reader(simulator, '/ioc/v1');
    expect((await read('')).status).toBe(200);
    expect((await read('/a/b/c')).status).toBe(404);
    expect((await (await reader(simulator))('')).status).toBe(404);
  });
});

describe('filters', () => {
  it('agree with the rows', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const rows = (await allPages(read, {})).map((row) => row as Record<string, Record<string, unknown>>);
    const agentId = rows[0]?.asset?.agentId as string;
    const checks: [string, (row: (typeof rows)[number]) => boolean][] = [
      ['type:file', (row) => (row.type as unknown) === 'FILE'],
      ["type: [FILE, 'Mutex']", (row) => ['FILE', 'MUTEX'].includes(String(row.type))],
      ['NOT type:FILE', (row) => String(row.type) !== 'FILE'],
      [`asset.agentid: "${agentId}"`, (row) => row.asset?.agentId === agentId],
      ['type:PROCESS AND process.pid < 8000', (row) => Number(row.process?.pid) < 8000],
      ['process.pid:(4 .. 8000)', (row) => Number(row.process?.pid) > 4 && Number(row.process?.pid) < 8000],
      ['action: `created` OR type:mutex', (row) => String(row.action) === 'CREATED' || String(row.type) === 'MUTEX'],
      ['network.remote.address.ip >= "1"', (row) => String(row.type) === 'NETWORK'],
      ['process.name:svchost.exe', (row) => row.process?.processName === 'svchost.exe'],
      ['file.extension:dll', (row) => String(row.file?.extension).replace('.', '') === 'dll'],
      ['handle.name>"!" OR registry.key>"!"', (row) => ['MUTEX', 'REGISTRY'].includes(String(row.type))],
    ];
    for (const [filter, holds] of checks) {
      const expected = rows.filter(holds).length;
      expect(expected, filter).toBeGreaterThan(0);
      expect(await countOf(read, filter), filter).toBe(expected);
      expect(await allPages(read, { filter }, 100), filter).toHaveLength(expected);
    }
  });

  it('take ranges on time inclusive and exclusive, by comparison and by day, with and without Z', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const index = [...simulator.truth.indexes()][1000] as number;
    const stamp = String(simulator.truth.event(index).dateTime).slice(0, 23);
    const before = 1000;
    expect(await countOf(read, `event.dateTime < '${stamp}'`)).toBe(before);
    expect(await countOf(read, `event.dateTime <= '${stamp}Z'`)).toBe(before + 1);
    expect(await countOf(read, `event.dateTime : ['${stamp}Z' .. '2020-09-01']`)).toBe(3000 - before);
    expect(await countOf(read, `event.dateTime : ('${stamp}' .. '2020-09-01')`)).toBe(3000 - before - 1);
    expect(await countOf(read, `event.dateTime > "${stamp}+00:00"`)).toBe(3000 - before - 1);
    const firstDay = simulator.truth.count({ startMs: START_MS, endMs: START_MS + DAY_MS });
    expect(await countOf(read, 'event.dateTime: 2020-08-17')).toBe(firstDay);
    expect(await countOf(read, "event.dateTime: ['2020-08-17' .. '2020-08-17']")).toBe(firstDay);
    expect(await countOf(read, 'event.dateTime: [2020-08-17T00:00:00Z .. 2020-08-17T23:59:59.999Z]')).toBe(firstDay);
    expect(await countOf(read, 'NOT event.dateTime: 2020-08-17')).toBe(3000 - firstDay);
  });

  it('let an OR escape the range unless it is in parentheses', async () => {
    const read = await reader(await gateway());
    const range = between(START_MS, START_MS + DAY_MS);
    const careful = await countOf(read, `(${range}) AND (type:file OR type:mutex)`);
    const careless = await countOf(read, `${range} AND type:file OR type:mutex`);
    expect(careless).toBeGreaterThan(careful);
  });

  it('select by processing time, and by both times', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const range = { startMs: START_MS + 1e7, endMs: START_MS + 9e7 };
    const processed = between(range.startMs, range.endMs, 'event.eventProcessedTime');
    const expected = simulator.truth.count(range, 'processed');
    expect(expected).toBeGreaterThan(100);
    expect(await countOf(read, processed)).toBe(expected);
    const rows = await allPages(read, { filter: processed, sort: '[{"event.eventProcessedTime":"asc"}]' }, 300);
    const times = rows.map((row) => String(row.eventProcessedTime));
    expect(times).toEqual([...times].sort());
    expect(times).toHaveLength(expected);
    const both = `${processed} AND ${between(START_MS, START_MS + 5e7)}`;
    const early = rows.filter((row) => Date.parse(String(row.dateTime)) < START_MS + 5e7).length;
    expect(await countOf(read, both)).toBe(early);
  });

  it.each([
    ['old', 'event.dateTime', 'event.datetime'],
    ['old', 'event.eventProcessedTime', 'event.eventprocesstime'],
    ['new', 'event.datetime', 'event.dateTime'],
    ['new', 'event.eventprocesstime', 'event.eventProcessedTime'],
    ['event-time-only', 'event.dateTime', 'event.eventProcessedTime'],
    ['both', 'event.datetime', 'event.nonsense'],
  ] as const)('know the %s spelling of time tokens', async (timeTokens, known, unknown) => {
    const read = await reader(await gateway({ timeTokens }));
    expect((await read('/count', { filter: between(START_MS, START_MS + 1, known) })).status).toBe(200);
    const refused = await read('/count', { filter: between(START_MS, START_MS + 1, unknown) });
    expect(refused.status).toBe(400);
    expect(refused.text).toContain('unknown token');
  });

  it.each(['type:', 'bogus:1', 'indicator.score > high', 'event.dateTime: yesterday', "a:'x"])(
    'refuse %s',
    async (filter) => {
      expect((await (await reader(await gateway()))('', { filter })).status).toBe(400);
    },
  );
});
