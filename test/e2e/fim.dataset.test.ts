import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson, startCommand } from './command.ts';
import { parquetOf } from './lake-truth.ts';

const DAYS = ['--from', '2026-11-10', '--to', '2026-11-11'];

let simulator: Simulator;
beforeAll(async () => {
  const range = parseRange('2026-11-10', '2026-11-11');
  simulator = await startSimulator({ events: 3_000, range, seed: 11, agents: 40, latencyMs: 15 });
});
afterAll(() => simulator.close());

/** A record as the FIM module delivers it, as far as the checks need it. */
interface FimRecord {
  readonly id: string;
  readonly dateTime: string;
  readonly severity: number;
  readonly fullPath: string;
  readonly profiles: readonly { readonly name: string; readonly rules: readonly unknown[] }[];
  readonly asset: { readonly name: string; readonly interfaces: readonly { readonly address: string }[] };
}

/** All records, read with nothing of edrlake. */
async function deliveredRecords(): Promise<FimRecord[]> {
  const post = async (path: string, body: string, headers: Readonly<Record<string, string>>) =>
    fetch(`${simulator.url}${path}`, { method: 'POST', body, headers });
  const form = { 'content-type': 'application/x-www-form-urlencoded' };
  const token = await (await post('/auth', 'username=demo&password=demo&token=true', form)).text();
  const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
  const records: FimRecord[] = [];
  for (let pageNumber = 0; ; pageNumber += 1) {
    const question = JSON.stringify({ pageNumber, pageSize: 1_000, sort: '[{"dateTime":"asc"}]' });
    const answer = await post('/fim/v2/events/search', question, headers);
    const page = (await answer.json()) as readonly { readonly data: FimRecord }[];
    if (page.length === 0) return records;
    records.push(...page.map(({ data }) => data));
  }
}

test('FIM events are exported, resumed after a kill, compared and queried beside a lake of EDR events', async () => {
  await inFreshDirectory(async (directory) => {
    const root = join(directory, 'lake');
    const lake = join(root, 'qualys-fim');
    const fim = ['--lake', root, '--dataset', 'qualys-fim', '--log-level', 'warn'];
    const address = ['--base-url', simulator.url];
    const gateway = [...address, '--page-size', '100', '--concurrency', '1'];

    // Killed in the middle of its pages: they are in the spool, and are not asked for again.
    const killed = startCommand(['backfill', ...DAYS, ...fim, ...gateway]);
    const pages = () => simulator.calls.of('events').filter(({ status }) => status === 200).length;
    let isOver = false;
    const ended = killed.ended.finally(() => {
      isOver = true;
    });
    while (pages() < 12 && !isOver) await new Promise((resolve) => setTimeout(resolve, 5));
    killed.kill('SIGKILL');
    expect(await ended).toMatchObject({ exitCode: null });
    const resumed = await runJson(['backfill', ...DAYS, ...fim, ...gateway]);
    expect(resumed).toMatchObject({ outcome: 'done', resumed: true });
    expect(pages()).toBeLessThanOrEqual(3_000 / 100 + 6);
    expect(
      simulator.calls.of('events').every(({ method, path }) => `${method} ${path}` === 'POST /fim/v2/events/search'),
    ).toBe(true);

    const records = await deliveredRecords();
    expect(records).toHaveLength(3_000);
    const stored = await inPlainDuckDb(
      `select event_id, strftime(event_time, '%Y-%m-%dT%H:%M:%S.%g+0000'), severity, full_path, host_name
       from ${parquetOf(lake, 'events')} order by event_id`,
    );
    const expected = records.map((record) => [
      record.id,
      record.dateTime,
      String(record.severity),
      record.fullPath,
      record.asset.name,
    ]);
    expect(stored).toEqual(expected.sort(([a = ''], [b = '']) => (a < b ? -1 : 1)));
    const children = await inPlainDuckDb(
      `select (select count(*) from ${parquetOf(lake, 'profiles')}), (select count(*) from ${parquetOf(lake, 'interfaces')}),
         (select sum(json_array_length(rules)) from ${parquetOf(lake, 'profiles')})`,
    );
    const rows = (of: (record: FimRecord) => readonly unknown[]) => String(records.flatMap(of).length);
    const days = [...new Set(records.map(({ dateTime }) => dateTime.slice(0, 10)))].sort();
    const truth = days.map((day) => {
      const own = records.filter(({ dateTime }) => dateTime.startsWith(day));
      const profiles = own.flatMap((record) => record.profiles).length;
      const interfaces = own.flatMap((record) => record.asset.interfaces).length;
      return { day, events: own.length, rejects: 0, profiles, interfaces };
    });
    expect(simulator.truth.fimPerDay(), 'the truth that other tests compare with').toEqual(truth);
    expect(children).toEqual([
      [
        rows(({ profiles }) => profiles),
        rows(({ asset }) => asset.interfaces),
        rows(({ profiles }) => profiles.flatMap(({ rules }) => rules)),
      ],
    ]);

    const again = await runJson(['backfill', ...DAYS, '--force', ...fim, ...address]);
    expect(again).toMatchObject({ outcome: 'done', events: { new: 0, changed: 0 } });
    const compared = await runJson(['reconcile', ...DAYS, ...fim, ...address]);
    expect(compared).toMatchObject({ outcome: 'match' });
    const revised = [...simulator.truth.indexes()].slice(0, 7);
    simulator.reviseEvents(revised, Date.parse('2026-11-12T01:00:00Z'));
    const synced = await runJson(['sync', '--since', '2026-11-12', ...fim, ...address]);
    expect(synced).toMatchObject({ events: { new: 0, changed: 7 } });

    const query = await runCommand([
      'query',
      'select count(*) n, count(distinct event_id) ids from events',
      '--format',
      'csv',
      ...fim,
    ]);
    expect(query).toMatchObject({ exitCode: 0, stdout: 'n,ids\n3000,3000\n' });
    expect((await runCommand(['status', ...fim])).stdout).toContain('3,000');
    expect((await runCommand(['doctor', '--lake', root, '--dataset', 'qualys-fim'])).exitCode).toBe(0);

    // The root is a lake of its own.
    const edr = await runJson(['backfill', ...DAYS, '--lake', root, ...address, '--log-level', 'warn']);
    expect(edr).toMatchObject({ outcome: 'done', events: { new: 3_000 } });
    expect((await runCommand(['vacuum', '--lake', root])).exitCode).toBe(0);
    expect((await runCommand(['doctor', '--lake', root])).exitCode).toBe(0);
    expect((await runCommand(['query', 'select count(*) n from events', '--format', 'csv', ...fim])).stdout).toBe(
      'n\n3000\n',
    );
    const other = await runCommand(['query', 'select 1', '--lake', lake]);
    expect(other).toMatchObject({ exitCode: 2, stdout: '' });
    expect(other.stderr.replace(/\s+/g, ' ')).toContain('holds the dataset qualys-fim, expected qualys-edr');
    const counted = await runCommand(['count', ...DAYS, ...address], { env: { EDRLAKE_DATASET: 'qualys-fim' } });
    expect(counted).toMatchObject({ exitCode: 2, stdout: '' });
    const stateful = await runCommand(['backfill', ...DAYS, '--state', 'true', ...fim, ...address]);
    expect(stateful).toMatchObject({ exitCode: 2, stdout: '' });
  });
}, 240_000);
