import { readdir, readFile, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson } from './command.ts';

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({
    events: 400,
    range: { startMs: Date.parse('2020-08-17'), endMs: Date.parse('2020-08-21') },
  });
});
afterAll(() => simulator.close());

/** Ends the process when it loads a native library: DuckDB is the only one. */
const NO_DUCKDB = {
  NODE_OPTIONS: `--import data:text/javascript,${encodeURIComponent("process.dlopen=()=>{throw new Error('native')}")}`,
};

describe('gate', () => {
  it('passes proven days only, from the log alone, and names what is against the others', async () => {
    await inFreshDirectory(async (directory) => {
      const folder = join(directory, 'lake');
      const lake = ['--lake', folder];
      const gateway = ['--base-url', simulator.url];
      await runJson(['backfill', '--from', '2020-08-17', '--to', '2020-08-18', ...gateway, ...lake]);
      await runJson(['backfill', '--from', '2020-08-19', '--to', '2020-08-19T12:00:00Z', ...gateway, ...lake]);
      const gate = (from: string, to: string, ...more: string[]) =>
        runCommand(['gate', '--from', from, '--to', to, ...lake, ...more], { env: NO_DUCKDB });
      expect((await runCommand(['query', 'select 1 + 1', ...lake], { env: NO_DUCKDB })).exitCode).not.toBe(0);

      expect(await gate('2020-08-17', '2020-08-18')).toEqual({
        ...{ exitCode: 0, stdout: '2 days, all proven.\n', stderr: '' },
      });
      const open = await gate('2020-08-17', '2020-08-20');
      expect(open.exitCode).toBe(3);
      expect(open.stdout).toMatch(
        /^2020-08-19 {2}partial {2}since \S+Z {2}(npx )?edrlake backfill --from 2020-08-19 /m,
      );
      expect(open.stdout).toMatch(/^2020-08-20 {2}unplanned {2}(npx )?edrlake backfill --from 2020-08-20 /m);
      expect(open.stdout).toContain('2 days of 4 not proven.');
      expect(await gate('2020-08-17', '2020-08-17', '--max-age', '26h')).toMatchObject({ exitCode: 4 });
      expect(await gate('2999-01-01', '2999-01-01')).toMatchObject({ exitCode: 3 });
      expect(await gate('2020-08-17', '2020-08-17', '--require', 'all')).toMatchObject({ exitCode: 2 });

      const shown = 'select event_date::varchar, count(*) from events_proven group by all order by 1';
      const expected = simulator.truth.perDay().slice(0, 2);
      const rows = expected.map(({ day, events }) => [day, String(events)]);
      expect(await inPlainDuckDb(shown, join(folder, 'lake.duckdb'))).toEqual(rows);
      const asked = await runCommand(['query', shown, ...lake, '--format', 'csv']);
      expect(asked.stdout.trim().split('\n').slice(1)).toEqual(rows.map((row) => row.join(',')));

      await writeFile(
        join(folder, '_runs/reconciliation.json'),
        JSON.stringify({ '2020-08-18': { verdict: 'late', inApi: 200, difference: -1, atMs: Date.now() } }),
      );
      expect(await gate('2020-08-17', '2020-08-18')).toMatchObject({ exitCode: 0 });
      const complete = await gate('2020-08-17', '2020-08-18', '--require', 'complete', '--json');
      expect(complete.exitCode).toBe(4);
      expect(JSON.parse(complete.stdout)).toMatchObject({
        passes: false,
        notProven: [{ from: '2020-08-18', to: '2020-08-18', state: 'late' }],
      });

      const day = join(folder, 'indicators/event_date=2020-08-17');
      const [file = ''] = await readdir(day);
      await rename(join(day, file), join(directory, file));
      const gone = await gate('2020-08-17', '2020-08-18');
      expect(gone.exitCode).toBe(4);
      expect(gone.stdout).toMatch(/^2020-08-17 {2}files gone {2}(npx )?edrlake reconcile --repair --from 2020-08-17 /m);
      await rename(join(directory, file), join(day, file));
      expect(await gate('2020-08-17', '2020-08-18')).toMatchObject({ exitCode: 0 });
      await writeFile(join(day, file), (await readFile(join(day, file))).subarray(0, 100));
      expect(await gate('2020-08-17', '2020-08-17')).toMatchObject({ exitCode: 4 });
    });
  }, 240_000);
});
