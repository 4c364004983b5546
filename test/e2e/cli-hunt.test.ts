import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson } from './command.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({
    events: 1_500,
    range: { startMs: Date.parse('2020-08-17'), endMs: Date.parse('2020-08-20') },
  });
});
afterAll(() => simulator.close());

const ABSENT = '44d88612fea8a8f36de82e1278abb02f';

describe('hunt', () => {
  it('finds what SQL finds, in each format, and says what not finding means', async () => {
    await inFreshDirectory(async (directory) => {
      const folder = join(directory, 'lake');
      const lake = ['--lake', folder];
      const days = ['--from', '2020-08-17', '--to', '2020-08-19'];
      await runJson(['backfill', ...days, '--base-url', simulator.url, ...lake]);
      const hunt = (args: string[], stdin?: string) =>
        runCommand(['hunt', ...args, ...lake], { env: { COLUMNS: '80' }, ...(stdin !== undefined && { stdin }) });

      const [[hash = '', count = ''] = []] = await inPlainDuckDb(
        `SELECT file_sha256, count(*) FROM events WHERE file_sha256 IS NOT NULL GROUP BY 1 ORDER BY 2 DESC, 1 LIMIT 1`,
        join(folder, 'lake.duckdb'),
      );
      const expected = await inPlainDuckDb(
        `SELECT event_id FROM events WHERE '${hash}' IN (file_sha256, process_file_sha256)
         UNION SELECT event_id FROM indicators WHERE sha256 = '${hash}' ORDER BY 1`,
        join(folder, 'lake.duckdb'),
      );
      const found = await hunt([String(hash).toUpperCase(), '--format', 'ndjson']);
      expect(found.exitCode).toBe(5);
      const rows = found.stdout
        .trim()
        .split('\n')
        .map((line) => JSON.parse(line) as Record<string, string>);
      expect([...new Set(rows.map((row) => [row.event_id]))].map(String).sort()).toContain(String(expected[0]));
      expect(new Set(rows.map((row) => row.event_id))).toEqual(new Set(expected.map(([id]) => id)));
      expect(rows.filter((row) => row.column === 'file_sha256')).toHaveLength(Number(count));
      expect(found.stderr).toMatch(/^Seen: 1 of 1 indicator, \d+ matches\.\nSearched in 3 of 3 proven days/);

      const table = await hunt([String(hash), 'evil[.]example']);
      expect(table.exitCode).toBe(5);
      expect(Math.max(...table.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
      expect(table.stdout).toContain('Not seen in 3 of 3 proven days (2020-08-17 to 2020-08-19): evil.example.');
      expect(table.stdout).toMatch(/^2020-08-\d\d \d\d:\d\d:\d\d {2}/m);

      const file = join(directory, 'rows.parquet');
      expect(await hunt([String(hash), '--format', 'parquet', '--output', file])).toMatchObject({ exitCode: 5 });
      expect(await inPlainDuckDb(`SELECT count(DISTINCT event_id), any_value(kind) FROM '${file}'`)).toEqual([
        [String(expected.length), 'sha256'],
      ]);
      const list = await hunt(['--iocs', '-', '--format', 'csv'], `# list\n${hash}\n`);
      expect(list.stdout.split('\n')[0]).toBe(
        'indicator,kind,event_time,host,event_id,event_type,agent_id,table,column,value',
      );
      expect(list.stdout.trim().split('\n')).toHaveLength(rows.length + 1);

      const index = await runCommand(['index', ...lake], { env: { COLUMNS: '80' } });
      expect(index.stdout).toMatch(/^Read \d+ data files into the index: (\d+) of \1, \S+ KiB, \S+ % of the data\.\n$/);
      expect(await hunt([String(hash).toUpperCase(), '--format', 'ndjson'])).toEqual(found);
      expect((await runCommand(['status', ...lake])).stdout).toMatch(/^Value index +\S+ KiB, \S+ % of the data$/m);

      expect(await hunt([ABSENT])).toMatchObject({ exitCode: 0, stderr: '' });
      const beyond = await hunt([ABSENT, '--from', '2020-08-17', '--to', '2020-08-21T12:00:00Z', '--json']);
      expect(beyond.exitCode).toBe(4);
      expect(JSON.parse(beyond.stdout)).toMatchObject({
        coverage: {
          days: 5,
          provenDays: 3,
          unproven: [{ from: '2020-08-20T00:00:00.000Z', to: '2020-08-21T12:00:00.000Z' }],
        },
        indicators: [{ indicator: ABSENT, kind: 'md5', verdict: 'not seen' }],
        matches: [],
      });
      const sha1 = await hunt(['da39a3ee5e6b4b0d3255bfef95601890afd80709']);
      expect(sha1).toMatchObject({ exitCode: 4 });
      expect(sha1.stdout).toContain('Not searchable, because no column holds such values (SHA-1)');

      await writeFile(join(directory, 'list.txt'), `${ABSENT}\n\n!!\n`);
      const refused = await hunt(['--iocs', join(directory, 'list.txt')]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toContain('line 3: no hash, address, domain, file, path or host: !!');
      expect(await hunt(['--iocs', join(directory, 'list.txt'), '--lenient'])).toMatchObject({ exitCode: 0 });
      expect(await hunt([])).toMatchObject({ exitCode: 2 });

      const part = join(folder, 'events/event_date=2020-08-18');
      const [lost = ''] = await readdir(part);
      await rm(join(part, lost));
      const unknown = await hunt([ABSENT]);
      expect(unknown.exitCode).toBe(4);
      expect(unknown.stdout).toContain('Not seen in the 2 proven of 3 days (2020-08-17 to 2020-08-19); unproven:');
      expect(unknown.stdout.replaceAll('\n', ' ')).toContain('Unknown for 2020-08-18: data files are gone or damaged.');
    });
  });

  it('keeps the lists of a folder, shows each match once, and names bad lines without stopping', async () => {
    await inFreshDirectory(async (directory) => {
      const folder = join(directory, 'lake');
      const lake = ['--lake', folder];
      const backfill = (day: string) =>
        runJson(['backfill', '--from', day, '--to', day, '--base-url', simulator.url, ...lake]);
      await backfill('2020-08-17');
      const hunts = ['--hunts', join(directory, 'hunts')];
      const hunt = () => runCommand(['hunt', '--standing', ...hunts, ...lake], { env: { COLUMNS: '80' } });
      expect(await hunt()).toMatchObject({ exitCode: 2, stdout: '' });
      const views = join(folder, 'lake.duckdb');
      const [[host = ''] = []] = await inPlainDuckDb(
        'SELECT host_name FROM events GROUP BY 1 ORDER BY count(DISTINCT event_date) DESC, count(*) DESC, 1 LIMIT 1',
        views,
      );
      const ofHost = `SELECT count(*) FROM events WHERE host_name = '${host}'`;
      await mkdir(join(directory, 'hunts'));
      await writeFile(join(directory, 'hunts/hosts.txt'), `host:${host}\n!!\n`);
      await writeFile(join(directory, 'hunts/half.json'), '{"type":');
      const first = await hunt();
      expect(first.exitCode).toBe(5);
      expect(first.stderr).toContain('hosts.txt, line 2: no hash, address, domain, file, path or host: !!');
      expect(first.stderr).toContain('half.json, line 1: no JSON');
      expect(Math.max(...first.stdout.split('\n').map((line) => line.length))).toBeLessThanOrEqual(80);
      const [[one = '']] = (await inPlainDuckDb(ofHost, views)) as [[string]];
      expect(first.stdout).toContain(`${one} new`);
      await backfill('2020-08-18');
      await backfill('2020-08-19');
      const [[all = '']] = (await inPlainDuckDb(ofHost, views)) as [[string]];
      const matches = `SELECT count(*) FROM hunt_matches WHERE list = 'hosts.txt' AND host = '${host}'`;
      expect(await inPlainDuckDb(matches, views)).toEqual([[all]]);
      expect((await runCommand(['query', matches, '--format', 'csv', ...lake])).stdout).toContain(String(all));
      expect((await runCommand(['status', ...lake])).stdout).toMatch(/^Hunts +1 list, \d+ match(es)?$/m);
      const second = await hunt();
      expect(second).toMatchObject({ exitCode: 5 });
      expect(second.stdout).toContain(`${Number(all) - Number(one)} new`);
      const third = await hunt();
      expect(third).toMatchObject({ exitCode: 2 });
      expect(third.stdout).toContain('none of them new');
      await rm(join(directory, 'hunts/half.json'));
      await rm(join(directory, 'hunts/hosts.txt'));
      expect(await hunt()).toMatchObject({ exitCode: 0, stderr: '' });
      expect(await inPlainDuckDb('SELECT count(*) FROM hunt_matches', views)).toEqual([['0']]);
    });
  });
});
