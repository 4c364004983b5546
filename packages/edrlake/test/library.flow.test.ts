import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import {
  backfill,
  connect,
  definePipeline,
  EdrlakeError,
  openLake,
  plan,
  type RunEvent,
  reconcile,
  repair,
  runPipeline,
  sync,
} from '../src/index.ts';
import { manualClock, startTestGateway, type TestGateway } from '../src/testing.ts';

const DAYS = { from: '2020-08-17', to: '2020-08-18' };

let directory: string;
let gateway: TestGateway;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-library-'));
  gateway = await startTestGateway({ ...DAYS, events: 3_000, seed: 5, nullIdShare: 0 });
});

afterEach(async () => {
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

const countEvents = 'select count(*) as events from events';

describe('the first program', () => {
  test('exports a day and reads it back, with all defaults', async () => {
    const { url, truth } = gateway.simulator;
    const lake = await openLake(join(directory, 'lake'));
    const source = await connect({ baseUrl: url, username: 'demo', password: 'demo' });
    const { outcome } = await backfill(lake, source, { from: '2020-08-17', to: '2020-08-17' });
    const rows = await lake.query<{ events: number }>(countEvents).toArray();
    await source.close();
    await lake.close();
    expect({ outcome, rows }).toEqual({ outcome: 'done', rows: [{ events: truth.perDay()[0]?.events }] });
  });
});

describe('a lake and a source', () => {
  test('tables and statements as files: one file, a folder of days that goes on, and what cannot be', async () => {
    const lake = await openLake(join(directory, 'lake'));
    await backfill(lake, gateway.source, { from: '2020-08-17', to: '2020-08-17' });
    const to = (name: string) => join(directory, name);
    const sql = 'select count(*) as events from events';
    expect(await lake.export(sql, { to: to('counts.csv') })).toEqual({
      output: to('counts.csv'),
      format: 'csv',
      folder: null,
    });
    const rows = await lake.query<{ events: number }>(sql).toArray();
    expect(await readFile(to('counts.csv'), 'utf8')).toBe(`events\n${rows[0]?.events}\n`);
    await lake.export('coverage', { to: to('coverage'), format: 'ndjson' });
    expect(JSON.parse((await readFile(to('coverage'), 'utf8')).split('\n')[0] ?? '')).toMatchObject({
      event_date: '2020-08-17',
    });
    const first = await lake.export('events', { to: to('days/') });
    expect(first.folder).toMatchObject({ written: 1, unchanged: 0, removed: 0, rowCount: rows[0]?.events });
    await backfill(lake, gateway.source, { from: '2020-08-18', to: '2020-08-18' });
    expect((await lake.export('events', { to: to('days') })).folder).toMatchObject({ written: 1, unchanged: 1 });
    const codeOf = (what: string, options: { to: string }) =>
      lake.export(what, options).then(
        () => 'written',
        (thrown) => `${thrown.code}: ${thrown.message}`,
      );
    expect(await codeOf('events', { to: to('events.xls') })).toBe('USAGE: expected format, found none');
    expect(await codeOf(sql, { to: to('days/') })).toContain('USAGE: a query cannot be written into a folder');
    expect(await codeOf('from nowhere', { to: to('nothing.csv') })).toContain('QUERY_FAILED');
    expect((await readdir(directory)).sort()).toEqual(['counts.csv', 'coverage', 'days', 'lake']);
    await lake.close();
  });

  test('sync, reconcile, repair and the version of the lake', async () => {
    const progress: RunEvent['type'][] = [];
    const lake = await openLake(directory);
    const { source } = gateway;
    const first = await sync(lake, source, { since: '2020-08-17', onProgress: ({ type }) => progress.push(type) });
    expect(first.exported?.outcome).toBe('done');
    expect(progress).toEqual(expect.arrayContaining(['login', 'planned', 'page', 'window', 'commit']));
    const seen = progress.length;
    const agreement = await reconcile(lake, source, DAYS);
    expect(agreement).toMatchObject({ outcome: 'match', days: [{ day: '2020-08-17' }, { day: '2020-08-18' }] });
    expect(progress.length, 'a call reports to its own listener only').toBe(seen);

    const { files, version } = await lake.version();
    const [events] = files.filter(({ table }) => table === 'events');
    expect({
      version,
      rows: files.filter(({ table }) => table === 'events').reduce((sum, { rowCount }) => sum + rowCount, 0),
    }).toEqual({ version: 1, rows: 3_000 });
    expect(await lake.gate(DAYS)).toEqual({ passes: true, version: 1, days: 2, refused: [] });
    expect((await lake.verify()).findings).toEqual([]);
    await rm(events?.path ?? '');
    const [lostDay] = /\d{4}-\d\d-\d\d/.exec(events?.path ?? '') ?? [];
    expect((await lake.verify({ from: '2020-08-17', to: '2020-08-18' })).findings).toMatchObject([
      { day: lostDay, table: 'events' },
    ]);
    expect(await lake.gate(DAYS)).toMatchObject({
      passes: false,
      refused: [{ startMs: Date.parse(`${lostDay}`), state: 'mismatched', filesGone: true }],
    });
    const broken = await reconcile(lake, source);
    expect(broken.outcome).toBe('mismatch');
    const { exported } = await repair(lake, source, broken.days);
    expect(exported?.outcome).toBe('done');
    expect(await lake.query(countEvents).toArray()).toEqual([{ events: 3_000 }]);
    await lake.close();
  });

  test('requests count in the account of the lake from the first call on it', async () => {
    const lake = await openLake(directory);
    const { source } = gateway;
    await plan(source, DAYS);
    expect(await readdir(join(directory, '_runs')).catch(() => [])).toEqual([]);
    await backfill(lake, source, DAYS);
    expect((await readdir(join(directory, '_runs'))).filter((name) => name.startsWith('budget-'))).toHaveLength(1);
    const made = source.requestsMade();
    await using other = await connect(
      {
        baseUrl: source.baseUrl,
        username: 'demo',
        password: 'demo',
        rateLimit: { requests: made + 1, windowSeconds: 3_600 },
      },
      { lake },
    );
    expect(other.requestsLeft(), 'what the first source has sent, counts for the second').toBeLessThanOrEqual(made);
    expect(other.requestsMade()).toBe(0);
    await lake.close();
  });

  test('a source keeps to the limit of its settings also over requests that it made without a lake', async () => {
    const clock = manualClock(Date.UTC(2026, 10, 22));
    const settings = { baseUrl: gateway.source.baseUrl, username: 'demo', password: 'demo' };
    const limit = { requests: 4, windowSeconds: 60 };
    const source = await connect({ ...settings, rateLimit: limit, concurrency: 1 }, { clock });
    const waits: RunEvent[] = [];
    const lake = await openLake(directory, { clock });
    await plan(source, DAYS);
    const planned = gateway.simulator.calls.dataTotal;
    await backfill(lake, source, { ...DAYS, onProgress: (event) => event.type === 'pace' && waits.push(event) });
    expect(planned).toBeGreaterThan(0);
    expect(waits.filter((wait) => wait.type === 'pace' && wait.reason === 'rate-limit')).not.toEqual([]);
    await source.close();
    await lake.close();
  });

  test('a signal ends a call, and the next call goes on', async () => {
    const lake = await openLake(directory);
    const { source } = gateway;
    const stop = new AbortController();
    const stopped = backfill(lake, source, {
      ...DAYS,
      signal: stop.signal,
      onProgress: ({ type }) => type === 'page' && stop.abort(new EdrlakeError('INTERRUPTED', 'enough')),
    });
    await expect(stopped).rejects.toMatchObject({ code: 'INTERRUPTED' });
    const report = await backfill(lake, source, DAYS);
    expect({ resumed: report.resumed, outcome: report.outcome }).toEqual({ resumed: true, outcome: 'done' });
    await lake.close();
  });

  test.each(['planned', 'request', 'page', 'commit'])(
    'what onProgress throws at a %s ends the call, as no bug',
    async (at) => {
      const lake = await openLake(directory);
      const cause = new TypeError('this.display is undefined');
      const onProgress = ({ type }: RunEvent) => {
        if (type === at) throw cause;
      };
      const stopped = backfill(lake, gateway.source, { ...DAYS, onProgress });
      await expect(stopped).rejects.toMatchObject({
        code: 'INTERRUPTED',
        message: `onProgress threw at an event of type ${at}: this.display is undefined`,
      });
      expect((await backfill(lake, gateway.source, DAYS)).outcome).toBe('done');
      expect(await lake.query(countEvents).toArray()).toEqual([{ events: 3_000 }]);
      await lake.close();
    },
  );

  test('a lake that is opened for reading is compared and queried, not written', async () => {
    const writing = await openLake(directory);
    await backfill(writing, gateway.source, DAYS);
    await writing.close();
    await using lake = await openLake(directory, { readOnly: true });
    expect((await reconcile(lake, gateway.source)).outcome).toBe('match');
    expect(await lake.query(countEvents).toArray()).toEqual([{ events: 3_000 }]);
    for (const write of [
      () => backfill(lake, gateway.source, DAYS),
      () => sync(lake, gateway.source),
      () => lake.compact(),
      () => runPipeline(lake, gateway.source, definePipeline({ name: 'a', tasks: {} })),
    ]) {
      await expect(write()).rejects.toMatchObject({ code: 'USAGE' });
    }
  });

  test('a wrong range is named as it was given', async () => {
    await using lake = await openLake(directory);
    for (const [range, message] of [
      [{ from: 'soon', to: '2020-08-17' }, /^from: expected YYYY-MM-DD .*"soon"/],
      [{ from: '2020-08-17', to: new Date(Number.NaN) }, /^to: expected a UTC day/],
      [{ from: '2020-08-18', to: '2020-08-17' }, /^to 2020-08-17 is before from 2020-08-18/],
    ] as const) {
      await expect(backfill(lake, gateway.source, range)).rejects.toMatchObject({
        code: 'RANGE_INVALID',
        message: expect.stringMatching(message),
      });
    }
    await expect(connect({ platform: 'XX9', username: 'a', password: 'b' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    });
  });

  test('the lake is merged, tidied and freed of copies', async () => {
    await using lake = await openLake(directory);
    await backfill(lake, gateway.source, DAYS);
    expect((await lake.compact(DAYS)).compactedDays).toEqual(['2020-08-17', '2020-08-18']);
    expect((await lake.vacuum({ graceDays: 0, dryRun: true })).removed.length).toBeGreaterThan(0);
    expect((await lake.deduplicate()).removedRows).toBe(0);
    const promoted = await lake.promote({ path: 'actor.type', as: 'actor_kind' });
    const kinds = 'select count(actor_kind) as n, count(extra) as rest from events';
    const [held] = await lake.query<{ n: number; rest: number }>(kinds).toArray();
    expect([promoted.column, held?.n]).toEqual(['actor_kind', promoted.values]);
    expect(await lake.demote('actor_kind')).toMatchObject({ path: 'actor.type', values: promoted.values });
    expect(
      (await lake.coverage({ from: '2020-08-17', to: '2020-08-17' })).map(({ day, verdict }) => ({ day, verdict })),
    ).toEqual([{ day: '2020-08-17', verdict: 'complete' }]);
  });
});

describe('a pipeline', () => {
  test('runs on the given lake and source, and is resumed', async () => {
    let isBroken = true;
    const pipeline = definePipeline({
      name: 'small',
      params: { since: { type: 'day', meaning: 'the first day', default: '2020-08-17' } },
      tasks: {
        sync: { uses: 'sync', with: ({ params }) => ({ since: params.since }) },
        check: { uses: 'reconcile', needs: ['sync'], with: { lastDays: 7 } },
        own: {
          needs: ['sync'],
          run: async ({ outputs }) => {
            if (isBroken) throw new EdrlakeError('NOT_FOUND', 'not yet');
            return { rows: outputs.sync.rows };
          },
        },
      },
    });
    const lake = await openLake(directory);
    const failed = await runPipeline(lake, gateway.source, pipeline);
    expect(failed.state).toBe('failed');
    isBroken = false;
    const { state, tasks, starts } = await runPipeline(lake, gateway.source, pipeline, { resume: failed.runId });
    expect({ state, starts }).toEqual({ state: 'done', starts: 2 });
    expect(tasks.find(({ name }) => name === 'own')?.output).toEqual({ rows: 3_000 });
    await lake.close();
  });
});

describe('a query', () => {
  test('gives rows one by one, Arrow and Parquet, and ends when the loop is left', async () => {
    await using lake = await openLake(directory);
    await backfill(lake, gateway.source, DAYS);
    const query = lake.query<{ event_id: string }>('select event_id from events order by 1');
    const ids: string[] = [];
    for await (const { event_id } of query) {
      ids.push(event_id);
      if (ids.length === 3) break;
    }
    expect(ids).toEqual((await query.toArray()).slice(0, 3).map(({ event_id }) => event_id));
    expect(await query.columns()).toEqual([{ name: 'event_id', type: 'VARCHAR' }]);
    let bytes = 0;
    for await (const chunk of query.toArrowStream()) bytes += chunk.byteLength;
    expect(bytes).toBeGreaterThan(3_000 * 8);
    expect(await query.toParquet(join(directory, 'ids.parquet'))).toBe(3_000);
    await expect(lake.query('selekt').toArray()).rejects.toMatchObject({ code: 'QUERY_FAILED' });
  });
});
