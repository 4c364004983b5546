import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { S3_KEY } from '../../../packages/lake/test/object-address.ts';
import { startS3Server } from '../../../packages/lake/test/s3-server.ts';
import { type FaultProxy, startFaultProxy } from '../object-store/fault-proxy.ts';
import { KEY, type RunningServer, startVersitygw } from '../object-store/servers.ts';
import { definePart, run } from '../part.ts';
import { install, type Kit } from './stage.ts';

const TABLES = ['asset_tags', 'certificates', 'events', 'indicators', 'interfaces', 'rejects'];
const ADDRESS = 's3://lake/edr';
const EVENTS = 20_000;
const RANGE = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 20) };
const DAY_MS = 86_400_000;
const DAYS = ['--from', '2020-08-17', '--to', '2020-08-19', '--force'];
const NARROW = 'SELECT event_type, count(*)::INTEGER AS n FROM events GROUP BY ALL ORDER BY ALL';
/** As which DuckDB asks. */
const DUCKDB = /^duckdb/;
const TOKEN = 'session-token-of-the-test';

interface AskOptions {
  readonly reads?: string;
  readonly endpoint?: string;
  readonly credentials?: typeof KEY & { readonly sessionToken?: string };
  readonly abortAfterMs?: number;
}

interface Answer {
  readonly sql: string;
  readonly rows: readonly (readonly unknown[])[] | null;
  readonly error: { readonly code: string; readonly message: string; readonly whole: string } | null;
  readonly reads: readonly { readonly by: string; readonly files: number; readonly copies: number }[];
  readonly tookMs: number;
}

function isEvents(key: string): boolean {
  return /events\/.*parquet/.test(key);
}

definePart<Kit>('httpfs', install, (kit) => {
  let server: RunningServer;
  let proxy: FaultProxy;
  let simulator: Simulator;
  let directory: string;
  let workFolders = 0;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'edrlake-httpfs-'));
    server = await startVersitygw(kit().versitygw, join(kit().folder, 'data'));
    proxy = await startFaultProxy(server.url);
    simulator = await startSimulator({ events: EVENTS, range: RANGE, seed: 5 });
    await backfill();
  });
  afterAll(async () => {
    await proxy?.close();
    await server?.stop();
    await simulator?.close();
    await rm(directory, { recursive: true, force: true });
  });

  afterEach(() => {
    proxy.before = async () => null;
  });

  const newWork = () => {
    workFolders += 1;
    return join(directory, `work-${workFolders}`);
  };
  const access = (secret: string = KEY.secretAccessKey) => ({
    ...{ AWS_ENDPOINT_URL: proxy.url, AWS_REGION: 'us-east-1' },
    ...{ AWS_ACCESS_KEY_ID: KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: secret },
    ...{ EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo', HOME: directory },
  });
  /** The command of the package, with a work folder that has no copies unless one is given. */
  const edrlake = (words: readonly string[], work: string = newWork(), env: Readonly<Record<string, string>> = {}) =>
    run(join(kit().project, 'node_modules/.bin/edrlake'), [...words, '--lake', ADDRESS, '--work', work], {
      cwd: directory,
      env: { ...access(), ...env },
    });
  const succeeded = async (...words: Parameters<typeof edrlake>) => {
    const ended = await edrlake(...words);
    expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
    return ended;
  };
  const backfill = () => succeeded(['backfill', ...DAYS, '--base-url', simulator.url, '--rate-limit', 'none']);
  const httpfs = () => ['--httpfs', kit().httpfs];

  /** Statements by the library of the package. */
  const ask = async (
    statements: readonly string[],
    { reads = 'httpfs', endpoint = proxy.url, credentials = KEY, ...more }: AskOptions = {},
  ): Promise<readonly Answer[]> => {
    const s3 = { endpoint, region: 'us-east-1', credentials };
    const options = { s3, reads, httpfsFile: kit().httpfs, workDirectory: newWork() };
    const asked = JSON.stringify({ place: ADDRESS, options, statements, ...more });
    const ended = await run(process.execPath, ['ask.mjs', asked], { cwd: kit().project, env: { HOME: directory } });
    expect(ended.stderr).not.toMatch(/Error/);
    return JSON.parse(ended.stdout) as Answer[];
  };
  const copiesIn = async (work: string) => {
    const files = existsSync(work) ? await readdir(work, { recursive: true }) : [];
    return files.filter((path) => path.endsWith('.parquet'));
  };

  test('every table has the same values with httpfs and from copies, and httpfs leaves no copy', async () => {
    const [direct, copied] = [newWork(), newWork()];
    for (const table of TABLES) {
      const sql = `SELECT count(*) AS n, bit_xor(md5_number(t::VARCHAR)) AS digest FROM ${table} t`;
      const query = ['query', sql, '--format', 'csv', '--log-level', 'debug', ...httpfs()];
      const read = await succeeded([...query, '--reads', 'httpfs'], direct);
      const copies = await succeeded([...query, '--reads', 'copies'], copied);
      expect(read.stdout, table).toBe(copies.stdout);
      if (read.stdout.includes('\n0,')) continue;
      expect(read.stderr).toMatch(/^edrlake: reads \d+ files? with httpfs$/m);
      expect(copies.stderr).toMatch(/^edrlake: reads \d+ files? as copies on this machine: they were asked for$/m);
    }
    expect(await copiesIn(direct)).toEqual([]);
    expect((await copiesIn(copied)).length).toBeGreaterThan(TABLES.length);
    // Copies that are here are preferred, one by one.
    const mixed = 'SELECT count(*) FROM events JOIN certificates USING (event_id)';
    const some = newWork();
    await succeeded(['query', 'SELECT count(event_id) FROM events', '--reads', 'copies'], some);
    const before = await copiesIn(some);
    const { stderr } = await succeeded(['query', mixed, '--log-level', 'debug', ...httpfs()], some);
    expect(stderr).toContain(`, ${before.length} of them as copies on this machine`);
    expect(await copiesIn(some)).toEqual(before);
  });

  test('by itself it takes httpfs where it can be loaded, and says so in its document', async () => {
    const file = join(directory, 'answer.parquet');
    const query = ['query', NARROW, '--format', 'parquet', '--output', file, '--json'];
    const { stdout } = await succeeded([...query, ...httpfs()]);
    expect(JSON.parse(stdout)).toMatchObject({ reads: { by: 'httpfs', copies: 0, why: null } });
    const without = JSON.parse((await succeeded(query)).stdout);
    const why = expect.stringMatching(/^DuckDB v1\.5\.5 finds no extension httpfs/);
    expect(without).toMatchObject({ reads: { by: 'copies', why } });
    const demanded = await edrlake([...query, '--reads', 'httpfs']);
    expect(demanded.exitCode).toBe(2);
    expect(demanded.stdout).toContain('INSTALL httpfs in a DuckDB shell of exactly version v1.5.5');
  });

  test('lakes of several subscriptions are read as one', async () => {
    const cwd = join(directory, 'both');
    await mkdir(cwd);
    const subscriptions = ['one', 'two'].map((name) => ({ name, baseUrl: simulator.url, username: 'demo' }));
    const config = { lake: 's3://lake/of/{subscription}', rateLimit: 'none', subscriptions };
    await writeFile(join(cwd, 'edrlake.config.json'), JSON.stringify(config));
    const passwords = { EDRLAKE_SUBSCRIPTION_ONE_PASSWORD: 'demo', EDRLAKE_SUBSCRIPTION_TWO_PASSWORD: 'demo' };
    const both = async (...words: readonly string[]) => {
      const program = join(kit().project, 'node_modules/.bin/edrlake');
      const env = { ...access(), ...passwords, XDG_STATE_HOME: join(cwd, 'state') };
      const ended = await run(program, [...words, '--subscription', 'all'], { cwd, env });
      expect(ended.exitCode, ended.stdout + ended.stderr).toBe(0);
      return ended;
    };
    await both('backfill', '--from', '2020-08-17', '--to', '2020-08-17');
    // What the machine has written itself is there as copies.
    await rm(join(cwd, 'state'), { recursive: true });
    const sql =
      'SELECT subscription, count(*) AS n, bit_xor(md5_number(t::VARCHAR)) AS digest FROM events t GROUP BY ALL ORDER BY ALL';
    const query = ['query', sql, '--format', 'csv', '--log-level', 'debug', ...httpfs(), '--reads'];
    const read = await both(...query, 'httpfs');
    expect(read.stderr).toMatch(/^edrlake: reads 2 files with httpfs$/m);
    expect(await copiesIn(join(cwd, 'state'))).toEqual([]);
    expect(read.stdout).toBe((await both(...query, 'copies')).stdout);
    expect(read.stdout).toMatch(/^subscription,n,digest\none,[1-9]\d+,\d+\ntwo,[1-9]/);
  });

  test('a statement of few columns moves less with httpfs than whole files', async () => {
    const measured: Record<string, number> = {};
    for (const reads of ['copies', 'httpfs']) {
      const work = newWork();
      // The log is read once, with either.
      await succeeded(['query', 'SELECT count(*) FROM events'], work);
      const before = proxy.passedBytes;
      await succeeded(['query', NARROW, '--reads', reads, ...httpfs()], work);
      measured[reads] = proxy.passedBytes - before;
    }
    expect((measured.httpfs ?? 0) * 3, JSON.stringify(measured)).toBeLessThan(measured.copies ?? 0);
  });

  test('a statement can read the files of the version and nothing else, and write nothing', async () => {
    await cp(join(kit().folder, 'data/lake/edr'), join(kit().folder, 'data/lake/edr-other'), { recursive: true });
    const objects = () => readdir(join(kit().folder, 'data/lake'), { recursive: true });
    const before = (await objects()).sort();
    const file = before.find((path) => /^edr\/events\/.*\.parquet$/.test(path)) ?? '';
    const inFolder = file.replace(/[^/]+$/, '*.parquet');
    const url = new URL(proxy.url);
    const reading = [
      `read_parquet('s3://lake/edr/${file.slice(4)}')`,
      `read_parquet('s3://lake/edr-other/${file.slice(4)}')`,
      `read_parquet('s3://lake/${inFolder}')`,
      `read_parquet('s3://other/${file}')`,
      `read_text('s3://lake/edr/_lake.json')`,
      `glob('s3://lake/**')`,
      `read_parquet('s3://lake/${file}?s3_endpoint=${url.host}')`,
      `read_text('http://${url.host}/lake/${file}')`,
      "read_csv('/etc/passwd')",
    ];
    const writing = [
      `COPY (SELECT 1) TO 's3://lake/${file}'`,
      `EXPLAIN ANALYZE COPY (SELECT 1) TO 's3://lake/${file}'`,
      `COPY (SELECT 1) TO 's3://lake/edr/new.parquet'`,
      "EXPORT DATABASE 's3://lake/edr/all'",
      "ATTACH 's3://lake/edr/new.db'",
      "CREATE SECRET mine (TYPE s3, KEY_ID 'a', SECRET 'b')",
      "SET s3_endpoint = 'elsewhere'",
      'LOAD httpfs',
      'INSTALL httpfs',
    ];
    const statements = [...reading.map((source) => `SELECT count(*) FROM events, ${source}`), ...writing];
    const answers = await ask([NARROW, ...statements]);
    expect(answers[0]).toMatchObject({ error: null, reads: [{ by: 'httpfs', copies: 0 }] });
    for (const { sql, rows, error } of answers.slice(2)) {
      expect({ sql, rows, code: error?.code }).toEqual({ sql, rows: null, code: 'QUERY_FAILED' });
      expect(error?.message, sql).toMatch(/Permission Error|only queries are allowed/);
    }
    // The address of a file of the version is allowed.
    expect(answers[1]?.error).toBeNull();
    expect((await objects()).sort()).toEqual(before);
  });

  test('no statement and no error shows the secret or the session token', async () => {
    const asked = [
      'SELECT count(event_id) FROM events',
      "SELECT s, w FROM events, duckdb_secrets() s, which_secret('s3://lake/edr/x', 's3') w LIMIT 1",
      'SELECT count(*) FROM events, duckdb_secrets(redact = false)',
      'SELECT string_agg(value) FROM duckdb_settings(), (SELECT count(event_id) FROM events)',
      ...['s3_secret_access_key', 's3_session_token', 's3_access_key_id'].map(
        (name) => `SELECT current_setting('${name}'), count(event_id) FROM events`,
      ),
      `SELECT (SELECT count(*) FROM enable_logging('HTTP')), (SELECT count(event_id) FROM events), (SELECT string_agg(message) FROM duckdb_logs())`,
      `SELECT count(event_id) FROM events, enable_logging('HTTP', storage = 'stdout')`,
      'EXPLAIN ANALYZE SELECT count(event_id) FROM events',
      'SELECT count(nothing) FROM events',
    ];
    // Another server: this one refuses tokens that it did not give out.
    const other = await startS3Server();
    try {
      const folder = join(kit().folder, 'data/lake');
      for (const entry of await readdir(join(folder, 'edr'), { recursive: true, withFileTypes: true })) {
        const path = join(entry.parentPath, entry.name);
        const object = { body: entry.isFile() ? await readFile(path) : Buffer.alloc(0), changedAtMs: RANGE.endMs };
        if (entry.isFile()) other.objects.set(relative(folder, path), object);
      }
      const credentials = { ...S3_KEY, sessionToken: TOKEN };
      for (const more of [{}, { endpoint: other.url, credentials }]) {
        const answers = await ask(asked, more);
        expect(answers[0]).toMatchObject({ rows: [[EVENTS]], reads: [{ by: 'httpfs' }] });
        expect(answers[1]?.rows?.length).toBe(1);
        const text = JSON.stringify(answers);
        for (const secret of [KEY.secretAccessKey, S3_KEY.secretAccessKey, TOKEN]) expect(text).not.toContain(secret);
      }
    } finally {
      await other.close();
    }
  });

  test('what the store refuses while httpfs reads is read from copies, or is an error that says what to do', async () => {
    const fails = (status: number, clients: RegExp) => {
      proxy.before = async ({ key }, client) => (isEvents(key) && clients.test(client) ? status : null);
    };
    fails(403, DUCKDB);
    const [byItself] = await ask([NARROW], { reads: 'auto' });
    const why = 'reading with httpfs failed with HTTP 403';
    expect(byItself).toMatchObject({ error: null, reads: [{ by: 'copies', why }] });
    const [refused] = await ask([NARROW]);
    expect(refused?.error?.code).toBe('STORE_REFUSED');
    expect(refused?.error?.message).toMatch(/refused GET s3:\/\/lake\/edr\/events\/event_date=[^ ]+: HTTP 403$/);
    expect(refused?.error?.whole).not.toContain(KEY.secretAccessKey);
    fails(503, DUCKDB);
    expect((await ask([NARROW]))[0]?.error?.code).toBe('STORE_UNREACHABLE');
  });

  test('a statement that hangs in the network ends within two seconds of its interruption', async () => {
    const abortAfterMs = 3_000;
    let hangs = () => {};
    proxy.before = async ({ key, method }, client) => {
      if (!isEvents(key) || method !== 'GET' || !DUCKDB.test(client)) return null;
      hangs();
      return 'silent';
    };
    const [answer] = await ask([NARROW], { abortAfterMs });
    expect(answer?.error?.code).toBe('INTERRUPTED');
    expect(answer?.tookMs).toBeGreaterThan(abortAfterMs - 100);
    expect(answer?.tookMs).toBeLessThan(abortAfterMs + 2_000);

    const isHanging = new Promise<void>((resolve) => {
      hangs = resolve;
    });
    const words = ['query', NARROW, '--reads', 'httpfs', ...httpfs(), '--lake', ADDRESS, '--work', newWork()];
    const child = spawn(process.execPath, [join(kit().project, 'node_modules/edrlake/bin/edrlake.js'), ...words], {
      cwd: directory,
      env: { ...process.env, ...access() },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    const stderr: string[] = [];
    child.stderr.setEncoding('utf8').on('data', (text: string) => stderr.push(text));
    const ended = new Promise<NodeJS.Signals | number | null>((resolve) => {
      child.on('close', (code, signal) => resolve(signal ?? code));
    });
    await isHanging;
    const interruptedMs = performance.now();
    child.kill('SIGINT');
    // Of the signal a shell makes 130.
    expect(await ended).toBe('SIGINT');
    expect(performance.now() - interruptedMs).toBeLessThan(2_000);
    expect(stderr.join('')).toContain('[INTERRUPTED]');
  });

  test('a file that a vacuum removes before it is read is read from the newest version', async () => {
    const [expected] = await ask([NARROW], { reads: 'copies' });
    simulator.reviseEvents([...simulator.truth.indexes()], Date.now() - DAY_MS);
    let removed: string | null = null;
    proxy.before = async ({ key }, client) => {
      if (removed !== null || !isEvents(key) || !DUCKDB.test(client)) return null;
      removed = key;
      await backfill();
      await rm(join(kit().folder, 'data/lake', key));
      return null;
    };
    const [answer] = await ask([NARROW]);
    expect(removed).not.toBeNull();
    expect(answer).toMatchObject({ rows: expected?.rows, error: null, reads: [{ by: 'httpfs' }] });
  });
});
