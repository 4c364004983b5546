import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { S3_KEY } from '../../packages/lake/test/object-address.ts';
import { startS3Server } from '../../packages/lake/test/s3-server.ts';
import { inFreshDirectory, runCommand, runJson } from './command.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({
    events: 300,
    range: { startMs: Date.parse('2020-08-17'), endMs: Date.parse('2020-08-19') },
  });
});
afterAll(() => simulator.close());

describe('a damaged lake', () => {
  it('is refused without its log, rebuilt, and proven again', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const days = ['--from', '2020-08-17', '--to', '2020-08-18', '--base-url', simulator.url];
      await runJson(['backfill', ...days, ...lake]);
      for (const name of await readdir(join(directory, 'lake/_log'))) await rm(join(directory, 'lake/_log', name));
      for (const args of [['status'], ['vacuum', '--grace', '0s'], ['backfill', ...days]]) {
        const refused = await runCommand([...args, ...lake]);
        expect(refused).toMatchObject({ exitCode: 1, stderr: expect.stringContaining('LAKE_CORRUPT') });
        expect(refused.stderr).toContain('edrlake rebuild-log');
      }
      const examined = await runCommand(['doctor', ...lake]);
      expect(examined).toMatchObject({ exitCode: 1, stderr: '' });
      expect(examined.stdout).toContain('✘ lake log');
      expect(examined.stdout.replace(/\s+/g, ' ')).toContain(
        `→ npx edrlake rebuild-log --lake ${join(directory, 'lake')}`,
      );
      expect(await runJson(['rebuild-log', ...lake])).toMatchObject({ events: 300, removedRows: 0, setAside: [] });
      const again = await runJson(['backfill', ...days, ...lake]);
      expect(again).toMatchObject({ outcome: 'done', events: { new: 0, changed: 0, unchanged: 300 } });
      const text = await runCommand(['deduplicate', ...lake]);
      expect(text).toMatchObject({ exitCode: 0, stdout: 'No event is stored more than once.\n' });
      const sound = (await runJson(['doctor', ...lake])) as { ok: boolean; findings: { name: string }[] };
      expect(sound).toMatchObject({ ok: true, findings: [{ name: 'lake' }, { name: 'lake content' }] });
      await writeFile(join(directory, 'lake/_runs/follow.json'), 'x');
      const wrong = await runCommand(['doctor', '--base-url', simulator.url, '--json', ...lake]);
      expect(wrong.exitCode).toBe(1);
      const names = (JSON.parse(wrong.stdout) as typeof sound).findings.map(({ name }) => name);
      expect(names).toEqual(expect.arrayContaining(['login', 'lake', 'lake watermark']));
    });
  }, 240_000);

  it('names in every message the lake that was typed', async () => {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', 'my lake'];
      const days = ['--from', '2020-08-17', '--to', '2020-08-18', '--base-url', simulator.url];
      const said = async (args: readonly string[], exitCode: number) => {
        const ended = await runCommand([...args, ...lake], { cwd: directory });
        expect(ended, ended.stderr).toMatchObject({ exitCode });
        return `${ended.stdout}${ended.stderr}`.replaceAll(/\s+/g, ' ');
      };
      expect(await said(['plan', ...days], 0)).toContain("npx edrlake backfill --lake 'my lake' --from");
      expect(await said(['backfill', ...days], 0)).toContain("Next: npx edrlake status --lake 'my lake'");
      const events = join(directory, 'my lake/events/event_date=2020-08-17');
      for (const name of await readdir(events)) await rm(join(events, name));
      const repair = "npx edrlake reconcile --lake 'my lake'";
      expect(await said(['verify'], 1)).toContain(`Next: ${repair} --repair`);
      expect(await said(['status'], 0)).toContain(`Next: ${repair} --repair`);
      expect(await said(['query', 'select count(distinct action) from events'], 1)).toContain(`${repair} --repair`);
      expect(await said(['reconcile', '--base-url', simulator.url], 4)).toContain(`Next: ${repair} --from`);
      await rm(join(directory, 'my lake/_log'), { recursive: true });
      expect(await said(['status'], 1)).toContain("npx edrlake rebuild-log --lake 'my lake'");
      expect(await said(['rebuild-log'], 0)).toContain("npx edrlake backfill --lake 'my lake' --from");
    });
  }, 120_000);

  it('in an object store, it is rebuilt there, and proven again', async () => {
    const server = await startS3Server();
    try {
      await inFreshDirectory(async (directory) => {
        const env = {
          ...{ AWS_ENDPOINT_URL: server.url, AWS_REGION: 'eu-central-1', XDG_STATE_HOME: directory, COLUMNS: '80' },
          ...{ AWS_ACCESS_KEY_ID: S3_KEY.accessKeyId, AWS_SECRET_ACCESS_KEY: S3_KEY.secretAccessKey },
        };
        const lake = ['--lake', 's3://lake/edr'];
        const days = ['--from', '2020-08-17', '--to', '2020-08-18', '--base-url', simulator.url];
        await runJson(['backfill', ...days, ...lake], { env });
        const refused = await runCommand(['rebuild-log', ...lake], { env });
        expect(refused).toMatchObject({ exitCode: 2, stderr: expect.stringContaining('--force') });
        for (const key of [...server.objects.keys()]) if (key.startsWith('edr/_log/')) server.objects.delete(key);
        const { exitCode, stdout } = await runCommand(['rebuild-log', ...lake], { env });
        expect({ exitCode, stdout }).toEqual({ exitCode: 0, stdout: expect.stringMatching(/ files, 300 events\./) });
        expect(stdout).toContain('The old log is kept in _log-old/');
        const again = await runJson(['backfill', ...days, ...lake], { env });
        expect(again).toMatchObject({ outcome: 'done', events: { new: 0, changed: 0, unchanged: 300 } });
      });
    } finally {
      await server.close();
    }
  }, 240_000);
});
