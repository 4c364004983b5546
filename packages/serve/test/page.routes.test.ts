import { once } from 'node:events';
import { appendFile, mkdir, mkdtemp, readFile, rm, symlink, truncate, writeFile } from 'node:fs/promises';
import { connect as connectSocket, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readLakeStatus } from '@edrlake/runner/history';
import { lakeMetrics, RUN_COUNTERS } from '@edrlake/telemetry';
import { describe, expect, it, onTestFinished } from 'vitest';
import type {
  Answer,
  CoverageDocument,
  DayDocument,
  FreshnessDocument,
  QuestionsDocument,
  RequestsDocument,
  RunDocument,
  RunsDocument,
} from '../src/documents/documents.ts';
import { askPage, json, sharedPage, stageLake } from './serve-stage.ts';

const shared = sharedPage(600);

describe('the routes of a lake with three days', () => {
  it('say what the lake holds, and what each day consists of', async () => {
    const { url } = shared();
    const coverage = await json<CoverageDocument>(`${url}api/coverage`);
    expect(coverage).toMatchObject({ version: 1, scope: 'all', attention: [], lostFiles: 0 });
    expect(coverage.spans).toEqual([['2020-08-17', 3, 'complete']]);
    expect(coverage.tables[0]).toMatchObject({ table: 'events', rows: 600 });

    const day = await json<DayDocument>(`${url}api/days/2020-08-18`);
    const [line] = day.lines;
    expect(day).toMatchObject({ state: 'complete', command: null, compared: null });
    expect(day.hours.reduce((sum, events) => sum + events, 0)).toBe(line?.inLake);
    expect(line?.counted).toBe(line?.inLake);
    expect(day.windows.every(({ counted, inLake }) => counted === inLake)).toBe(true);
    expect(day.windows.reduce((sum, { ofThisDay }) => sum + ofThisDay, 0)).toBe(line?.inLake);
    expect(day.files.find(({ table }) => table === 'events')).toMatchObject({ rows: line?.inLake, isLost: false });
    expect(day.runs).toMatchObject([{ isKept: true }]);

    const { runs } = await json<RunsDocument>(`${url}api/runs`);
    expect(runs).toMatchObject([{ kind: 'export', state: 'done', rows: 600 }]);
    const run = await json<RunDocument>(`${url}api/runs/${runs[0]?.runId}`);
    expect(run.progress).toMatchObject({ windowsFailed: 0, events: 600, pageSize: 1_000 });
    expect(run.progress?.windowsDone).toBe(run.progress?.windows);

    const requests = await json<RequestsDocument>(`${url}api/requests?hours=24`);
    expect(requests.requests.reduce((sum, each) => sum + each.requests, 0)).toBe(runs[0]?.requests);
    expect(requests.requests.map(({ endpoint, status }) => `${endpoint} ${status}`).sort()).toEqual([
      ...['auth 201', 'count 200', 'events 200'],
    ]);
    expect(requests.hours.every(({ repeated, others }) => repeated === 0 && others === 0)).toBe(true);

    const freshness = await json<FreshnessDocument>(`${url}api/freshness?days=7`);
    expect(freshness.lags).toMatchObject({ events: 600, without: 0 });
    expect(freshness.cells.reduce((sum, [, , events = 0]) => sum + events, 0)).toBe(600);
    const lateness = `SELECT ceil(quantile_disc(epoch_ms(processed_time) - epoch_ms(event_time), 0.99) / 1000) FROM events`;
    const checked = (await (await askPage(url, lateness)).json()) as Answer;
    expect(freshness.lags?.seconds99).toBe(checked.rows[0]?.[0]);
  });

  it('have the state of the lake as metrics, which change with it', async () => {
    const stage = await stageLake(200);
    await stage.hunt('any.txt', '0.0.0.0/0');
    const { url } = await stage.serve();
    const metrics = async () => (await fetch(`${url}metrics`)).text();
    const before = await metrics();
    for (const line of before.trim().split('\n')) {
      expect(line).toMatch(
        /^# (?:HELP|TYPE) edrlake_\w+ .+$|^edrlake_\w+(?:\{\w+="[^"]*"(?:,\w+="[^"]*")*\})? -?\d+(?:\.\d+)?$/,
      );
    }
    expect(before).toContain('edrlake_days{state="complete"} 3\n');
    expect(before).toContain('edrlake_lake_rows{table="events"} 200\n');
    expect(before).toContain('edrlake_lost_files 0\n');
    expect(before).toMatch(/^edrlake_hunt_matches\{list="any.txt"\} [1-9]\d*$/m);
    const { hunts } = await json<CoverageDocument>(`${url}api/coverage`);
    expect(hunts).toMatchObject({ pending: 0, lists: [{ name: 'any.txt', indicators: 1 }] });
    expect(before).not.toContain('watermark_lag');
    const { files } = await json<DayDocument>(`${url}api/days/2020-08-18`);
    await rm(join(stage.directory, files[0]?.path ?? ''));
    const after = await metrics();
    expect(after).toContain('edrlake_days{state="mismatched"} 1\n');
    expect(after).toContain('edrlake_lost_files 1\n');
  });

  it('count the records that are kept without a row, by reason', async () => {
    const stage = await stageLake(300, undefined, undefined, { nullIdShare: 0.02 });
    const kept = stage.simulator.truth.perDay().reduce((sum, { rejects }) => sum + rejects, 0);
    expect(kept).toBeGreaterThan(0);
    const { url } = await stage.serve();
    const metrics = await (await fetch(`${url}metrics`)).text();
    expect(metrics).toContain(`edrlake_quarantined_records{reason="no id"} ${kept}\n`);
    expect(metrics).toContain(`edrlake_rejected_records ${kept}\n`);
  });

  it('are all that the shipped rules and the dashboard ask for, besides the counters of a schedule', async () => {
    const stage = await stageLake(200);
    await stage.hunt('any.txt', '0.0.0.0/0');
    const lake = await stage.open();
    const status = await readLakeStatus(lake, { userLimit: null, nowMs: Date.now() });
    const known = new Set([...lakeMetrics(status, Date.now()).map(({ name }) => name), ...Object.keys(RUN_COUNTERS)]);
    for (const file of ['alerts.yml', 'grafana.json']) {
      const text = await readFile(new URL(`../../../docs/monitoring/${file}`, import.meta.url), 'utf8');
      const asked = [...new Set(text.match(/edrlake_\w+/g))];
      expect(asked.length).toBeGreaterThan(5);
      expect([...known]).toEqual(expect.arrayContaining(asked));
    }
  });

  it('name lost files and days that were never fetched, with the command that puts them right', async () => {
    const stage = await stageLake(600, { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 19) });
    const first = await stage.serve({ lakeFlags: ' --lake here' });
    const whole = await json<DayDocument>(`${first.url}api/days/2020-08-17`);
    const path = whole.files.find(({ table }) => table === 'events')?.path ?? '';
    await rm(join(stage.directory, path));
    const [cut] = (await json<DayDocument>(`${first.url}api/days/2020-08-18`)).files;
    await truncate(join(stage.directory, cut?.path ?? ''), 10);

    const gone = await json<DayDocument>(`${first.url}api/days/2020-08-17`);
    expect(gone).toMatchObject({
      state: 'mismatched',
      command: 'edrlake reconcile --repair --from 2020-08-17 --to 2020-08-17 --lake here',
    });
    expect(gone.why.join(' ')).toContain(`Gone or cut: ${path}`);
    expect(gone.why.join(' ')).toMatch(/The API counted \d+, the files that are left hold 0\./);
    expect(gone.files.find((file) => file.path === path)?.isLost).toBe(true);
    const never = await json<DayDocument>(`${first.url}api/days/2020-08-19`);
    expect(never).toMatchObject({
      state: 'unplanned',
      command: 'edrlake backfill --from 2020-08-19 --to 2020-08-19 --lake here',
      windows: [],
      hours: Array.from({ length: 24 }, () => 0),
    });
    const { attention } = await json<CoverageDocument>(`${first.url}api/coverage`);
    expect(attention).toMatchObject([{ from: '2020-08-17', to: '2020-08-18', state: 'mismatched', filesGone: 2 }]);
  });
});

it('a day that is not proven says until when it can be fetched, where the lake has learned what the API forgets', async () => {
  const stage = await stageLake(200);
  const page = await stage.serve();
  const { files } = await json<DayDocument>(`${page.url}api/days/2020-08-18`);
  await rm(join(stage.directory, files[0]?.path ?? ''));
  const losses = async () => {
    const { attention } = await json<CoverageDocument>(`${page.url}api/coverage`);
    const { why } = await json<DayDocument>(`${page.url}api/days/2020-08-18`);
    return [attention[0]?.loss, why[1]?.replace(/^Gone or cut.*/, '')];
  };
  expect(await losses()).toEqual([null, '']);
  // As three looks leave it: an hour is taken off, the events of which may have gone in part.
  const dayMs = 24 * 3_600_000;
  const lostMs = Date.now() + 12 * dayMs;
  const retentionMs = lostMs - Date.UTC(2020, 7, 18);
  const observations = [3, 2, 1].map((days) => {
    const atMs = Date.now() - days * dayMs;
    return { atMs, oldestMs: atMs - retentionMs - 3_600_000 };
  });
  const horizon = JSON.stringify({ source: 'a', observations, spent: [] });
  await writeFile(join(stage.directory, '_runs/horizon.json'), horizon);
  const loss = `unrecoverable after ${new Date(lostMs).toISOString().slice(0, 10)}`;
  expect(await losses()).toEqual([loss, `The API will not answer for all of it: ${loss}.`]);
});

describe('questions', () => {
  it('that lie beside the lake are offered as they are now; folders, links and what is no question are not', async () => {
    const { stage } = shared();
    const folder = await mkdtemp(join(tmpdir(), 'edrlake-questions-'));
    onTestFinished(() => rm(folder, { recursive: true, force: true }));
    const questionsFolder = join(folder, 'questions');
    const { url } = await stage.serve({ questionsFolder });
    const offered = () => json<QuestionsDocument>(`${url}api/questions`);
    expect(await offered()).toEqual({ questions: [], left: 0 });
    await mkdir(join(questionsFolder, 'folder.sql'), { recursive: true });
    await writeFile(join(folder, 'secret'), 'SELECT 1');
    await symlink(join(folder, 'secret'), join(questionsFolder, 'link.sql'));
    const files = { 'b.sql': '-- Who was\n--  seen\nfrom events', 'a.sql': ' from events limit 5\n', 'notes.txt': 'x' };
    const wrong = { 'empty.sql': '\n', 'long.sql': `SELECT '${'x'.repeat(50_000)}'`, 'huge.sql': 'x'.repeat(300_000) };
    for (const [name, text] of Object.entries({ ...files, ...wrong })) {
      await writeFile(join(questionsFolder, name), text);
    }
    expect(await offered()).toEqual({
      questions: [
        { name: 'a', about: null, sql: 'from events limit 5' },
        { name: 'b', about: 'Who was seen', sql: files['b.sql'] },
      ],
      left: 3,
    });
  });

  it('are answered up to a number of rows, with big integers as text', async () => {
    const { url } = shared();
    const cut = (await (await askPage(url, 'SELECT i FROM range(5000) AS r(i)')).json()) as Answer;
    expect([cut.rows.length, cut.isCut]).toEqual([1_000, true]);
    const large = (await (await askPage(url, "SELECT repeat('x', 1000000) FROM range(50)")).json()) as Answer;
    expect([large.rows.length <= 4, large.isCut]).toEqual([true, true]);
    const big = (await (await askPage(url, 'SELECT 9007199254740993 AS a, NULL AS b, [1, 2] AS c')).json()) as Answer;
    expect(big.rows).toEqual([['9007199254740993', null, '[1,2]']]);
    const wrong = await askPage(url, 'SELECT x FROM events');
    expect([wrong.status, ((await wrong.json()) as { error: { code: string } }).error.code]).toEqual([
      422,
      'QUERY_FAILED',
    ]);
  });

  it('give whole files', async () => {
    const { url } = shared();
    const file = (format: string) =>
      fetch(`${url}api/ask/${format}`, {
        method: 'POST',
        body: new URLSearchParams({ sql: 'SELECT i FROM range(5000) AS r(i)' }),
      });
    const csv = await (await file('csv')).text();
    expect(csv.split('\n')).toHaveLength(5_002);
    const parquet = Buffer.from(await (await file('parquet')).arrayBuffer());
    expect([parquet.subarray(0, 4).toString(), parquet.subarray(-4).toString()]).toEqual(['PAR1', 'PAR1']);
  });

  it('end with the connection of their page, and leave their seat to the next', async () => {
    const { url } = shared();
    const endless = 'SELECT count(*) FROM range(1000000) a, range(1000000) b WHERE a.range % 7 = b.range % 11';
    const abort = new AbortController();
    const hold = () =>
      askPage(url, endless, { signal: abort.signal }).then(
        ({ status }) => status,
        () => null,
      );
    const three = [hold(), hold(), hold()];
    // There are two seats.
    expect(await Promise.race(three)).toBe(422);
    abort.abort();
    expect((await Promise.all(three)).sort()).toEqual([422, null, null]);
    const status = async () => (await askPage(url, 'SELECT 1')).status;
    await expect.poll(status, { interval: 50, timeout: 20_000 }).toBe(200);
  });
});

describe('what is served', () => {
  it('sends open pages a run and a new version, and ends with them open', async () => {
    const stage = await stageLake(100);
    const page = await stage.serve();
    const abort = new AbortController();
    onTestFinished(() => abort.abort());
    const answer = await fetch(`${page.url}api/live`, { signal: abort.signal });
    const reader = answer.body?.getReader();
    const decoder = new TextDecoder();
    let heard = '';
    const listening = (async () => {
      for (;;) {
        const { value, done } = (await reader?.read()) ?? { value: undefined, done: true };
        if (done) return;
        heard += decoder.decode(value);
      }
    })();
    const { runs } = await json<RunsDocument>(`${page.url}api/runs`);
    const journal = join(stage.directory, '_runs', `${runs[0]?.runId}.jsonl`);
    // The first look is what later ones are compared with, so the journal grows until it is noticed.
    const heardOfRun = async () => {
      await appendFile(journal, '\n');
      return heard;
    };
    await expect.poll(heardOfRun, { timeout: 30_000 }).toMatch(/event: change\ndata: \{"version":1,"runs":true\}/);
    await stage.exportAgain({ startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) });
    await expect.poll(() => heard, { timeout: 30_000 }).toContain('"version":2');

    const idle = connectSocket(Number(new URL(page.url).port), '127.0.0.1');
    await once(idle, 'connect');
    const startedMs = performance.now();
    await page.close();
    expect(performance.now() - startedMs).toBeLessThan(1_000);
    await listening.catch(() => undefined);
    await expect(fetch(page.url)).rejects.toThrow();
  });

  it('says when the port is taken, or the address is none of this machine', async () => {
    const { stage } = shared();
    const other = createServer().listen(0, '127.0.0.1');
    onTestFinished(() => void other.close());
    await once(other, 'listening');
    const { port } = other.address() as { port: number };
    await expect(stage.serve({ port })).rejects.toMatchObject({ code: 'USAGE', exitCode: 2 });
    await expect(stage.serve({ port })).rejects.toThrow(`another program listens on port ${port}`);
    await expect(stage.serve({ host: '192.0.2.1', token: 'x'.repeat(20) })).rejects.toThrow(
      'no address of this machine',
    );
  });
});
