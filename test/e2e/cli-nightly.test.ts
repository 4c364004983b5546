import { mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { type Simulator, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { inFreshDirectory, runCommand, runJson, startCommand } from './command.ts';

const EVENTS = 8_000;

let simulator: Simulator;
beforeAll(async () => {
  simulator = await startSimulator({
    events: EVENTS,
    range: parseRange('2026-11-10', '2026-11-12'),
    seed: 5,
    nowMs: null,
  });
});
afterAll(() => simulator.close());

/** The flags of every command here, for a separate lake. */
function flagsFor(directory: string): string[] {
  return ['--base-url', simulator.url, '--lake', join(directory, 'lake'), '--log-level', 'warn'];
}

const PIPELINE = `
import { EdrlakeError } from '@edrlake/core';
import { definePipeline } from 'edrlake';
import { existsSync } from 'node:fs';

export default definePipeline({
  name: 'check',
  schedule: { cron: '0 0 1 1 *', timeZone: 'Europe/Berlin' },
  params: { marker: { type: 'text', meaning: 'a file that must be there', default: 'marker' } },
  tasks: {
    fetch: { uses: 'backfill', with: { from: '2026-11-10', to: '2026-11-10' } },
    marker: {
      needs: ['fetch'],
      run: async ({ params }: { params: { marker: string } }) => {
        if (!existsSync(params.marker)) throw new EdrlakeError('CONFLICT', 'the marker is not there');
        return {};
      },
    },
    unique: {
      uses: 'query',
      needs: ['marker'],
      with: { sql: 'select event_id from events group by all having count(*) > 1', expect: 'no rows' },
    },
  },
});
`;

describe('every night', () => {
  it('syncs, reports when nothing is new, shows how fresh the lake is', async () => {
    await inFreshDirectory(async (directory) => {
      const flags = flagsFor(directory);
      const without = await runCommand(['sync', ...flags]);
      expect(without).toMatchObject({ exitCode: 2, stdout: '' });
      expect(without.stderr).toContain('--since');
      const first = await runJson(['sync', '--since', '2026-11-10', ...flags]);
      expect(first).toMatchObject({ outcome: 'done', watermarkBefore: null, days: { reopened: [] } });
      const again = await runCommand(['sync', '--since', '2026-11-10', ...flags]);
      expect(again.exitCode, again.stderr).toBe(0);
      expect(again.stdout).toMatch(/^Nothing new: complete up to .*\n$/);

      const fresh = (await runJson(['status', '--max-age', '1h', ...flags.slice(2)])) as Record<string, unknown>;
      expect(fresh).toMatchObject({ stale: false, days: { scope: 'all', missing: 0 }, lastRun: { state: 'done' } });
      expect(fresh.watermarkLagSeconds).toBeGreaterThanOrEqual(15 * 60);
      const { requestsLeft, requests } = fresh.budget as Record<string, number>;
      expect(requestsLeft).toBeLessThan(requests ?? 0);
      const stale = await runCommand(['status', '--max-age', '1s', ...flags.slice(2)]);
      expect(stale.exitCode).toBe(4);
      expect(stale.stderr).toMatch(/^edrlake: the lake is stale: complete up to .* at most 1 s allowed\n$/);
      expect(stale.stdout).toContain('2026-11');
      expect(stale.stdout).toMatch(/^Requests left +[\d,]+ of [\d,]+ in 1 h/m);
    });
  }, 240_000);

  it('continues to its own exit code when the reader of its log ends', async () => {
    await inFreshDirectory(async (directory) => {
      const flags = flagsFor(directory).slice(0, -2);
      const day = ['--from', '2026-11-10', '--to', '2026-11-10'];
      // A partly done run, so that the exit code is not that of a process that merely ended.
      simulator.faults.push({ kind: 'status', status: 404, match: { endpoint: 'events', page: 1 } });
      const ended = await runCommand(['backfill', ...day, ...flags], { closeStderr: true });
      expect(ended).toMatchObject({ exitCode: 3, stderr: '' });
      expect(ended.stdout).toContain('1 failed');
      const resumed = await runCommand(['backfill', ...day, ...flags], { closeStderr: true });
      expect(resumed.exitCode, resumed.stdout).toBe(0);
    });
  }, 240_000);

  it('explains a platform that cannot be searched by processing time', async () => {
    await inFreshDirectory(async (directory) => {
      const args = [
        'sync',
        '--since',
        '2026-11-10',
        '--processed-time-token',
        'event.nonsense',
        ...flagsFor(directory),
      ];
      const ended = await runCommand(args);
      expect(ended.exitCode).toBe(2);
      expect(ended.stderr).toContain('[FILTER_REJECTED]');
      const advice = `edrlake sync --lake ${join(directory, 'lake')} --axis event --look-back 5d`;
      expect(ended.stderr.replaceAll('\n', ' ')).toContain(advice);
      const nightly = ['run', 'nightly', '--param', 'since=2026-11-10', ...args.slice(3)];
      const refused = await runCommand(nightly);
      expect(refused.exitCode, refused.stderr).toBe(2);
      expect(refused.stdout.replaceAll('\n', ' ')).toContain('--param byEventTime=true');
      const night = await runJson([...nightly, '--param', 'byEventTime=true']);
      expect(night).toMatchObject({ state: 'done', rows: EVENTS });
      const followed = await runJson([...args, '--axis', 'event']);
      expect(followed).toMatchObject({ outcome: 'done', axis: 'event', events: { new: 0 } });
    });
  }, 240_000);

  it('compares, finds a lost file, repairs only that, and keeps the lake tidy', async () => {
    await inFreshDirectory(async (directory) => {
      const flags = flagsFor(directory);
      await runJson(['backfill', '--from', '2026-11-10', '--to', '2026-11-12', ...flags]);
      expect(await runJson(['reconcile', ...flags])).toMatchObject({ outcome: 'match' });

      const day = join(directory, 'lake', 'events', 'event_date=2026-11-11');
      for (const file of await readdir(day)) await rm(join(day, file));
      const compared = await runCommand(['reconcile', ...flags]);
      expect(compared.exitCode).toBe(4);
      expect(compared.stdout).toMatch(/2026-11-11 .* missing -/);
      expect((await runJson(['status', ...flags.slice(2)])).days).toMatchObject({ missing: 1, complete: 2 });
      const repaired = await runJson(['reconcile', '--repair', ...flags]);
      expect(repaired).toMatchObject({ outcome: 'match', repair: { forgottenFiles: [expect.any(String)] } });
      const counted = await runCommand([
        'query',
        'select count(*) as n from events',
        '--format',
        'csv',
        ...flags.slice(2),
      ]);
      expect(counted.stdout).toBe(`n\n${EVENTS}\n`);
    });
  }, 240_000);

  it('fetches only what is missing, compacts and vacuums', async () => {
    await inFreshDirectory(async (directory) => {
      const flags = flagsFor(directory);
      await runJson(['backfill', '--from', '2026-11-10', '--to', '2026-11-10', ...flags]);
      await runJson(['backfill', '--from', '2026-11-12', '--to', '2026-11-12', ...flags]);
      const range = { from: '2026-11-11T00:00:00.000Z', to: '2026-11-12T00:00:00.000Z' };
      expect(await runJson(['backfill', '--only', 'missing', ...flags])).toMatchObject({ outcome: 'done', range });
      const nothing = await runCommand(['backfill', '--only', 'missing', ...flags]);
      expect(nothing).toMatchObject({ exitCode: 0, stdout: 'Nothing to do: nothing is missing.\n' });
      expect((await runCommand(['compact', ...flags.slice(2)])).exitCode).toBe(0);
      const wouldGo = await runJson(['vacuum', '--grace', '0s', '--dry-run', ...flags.slice(2)]);
      expect(wouldGo.dryRun).toBe(true);
      expect(await runJson(['vacuum', '--grace', '0s', ...flags.slice(2)])).toMatchObject({ removed: wouldGo.removed });
    });
  }, 240_000);
});

describe('pipelines', () => {
  it('run from a file, report what failed, and continue when resumed', async () => {
    await inFreshDirectory(async (directory) => {
      const flags = flagsFor(directory);
      const cwd = directory;
      await mkdir(join(directory, 'pipelines'));
      await writeFile(join(directory, 'pipelines', 'check.ts'), PIPELINE);

      const described = (await runJson(['run', 'check', '--dry-run', ...flags], { cwd })) as {
        tasks: { name: string; wouldDo: string }[];
      };
      expect(described.tasks.map(({ name }) => name)).toEqual(['fetch', 'marker', 'unique']);
      expect(described.tasks[0]?.wouldDo).toMatch(/^\d+ events from 2026-11-10 to 2026-11-10: \d+ requests$/);
      expect(await readdir(directory), 'a dry run makes no lake').toEqual(['pipelines']);

      const failed = await runCommand(['run', 'check', ...flags], { cwd });
      expect(failed.exitCode, failed.stderr).toBe(1);
      expect(failed.stdout).toContain('marker: the marker is not there [CONFLICT]');
      const runId = /--resume (\S+)/.exec(failed.stdout)?.[1] ?? '';
      await writeFile(join(directory, 'marker'), '');
      const resumed = (await runJson(['run', '--resume', runId, ...flags], { cwd })) as Record<string, unknown>;
      expect(resumed).toMatchObject({
        runId,
        state: 'done',
        starts: 2,
        tasks: [{ attempts: 1 }, { attempts: 2 }, { attempts: 1 }],
      });

      const { runs } = (await runJson(['runs', ...flags.slice(2)])) as {
        runs: { runId: string; kind: string; state: string }[];
      };
      expect(runs.map(({ kind, state }) => [kind, state]).sort()).toEqual([
        ['export', 'done'],
        ['pipeline', 'done'],
      ]);
      const shown = await runCommand(['runs', runId, ...flags.slice(2)]);
      expect(shown.stdout).toContain('pipeline check');
      expect(shown.stdout).toContain('2 times');
      // Its export is a part of it, and not the last run.
      const { lastRun, budget } = await runJson(['status', ...flags.slice(2)]);
      expect(lastRun).toMatchObject({ kind: 'pipeline', pipeline: 'check', state: 'done', runId });
      expect(budget).not.toBeNull();
    });
  }, 240_000);

  it('that cannot be found, loaded or given a parameter are one clear message each', async () => {
    await inFreshDirectory(async (directory) => {
      const flags = flagsFor(directory);
      const cwd = directory;
      await writeFile(join(directory, 'broken.ts'), 'export default {{');
      await writeFile(join(directory, 'empty.ts'), 'export const name = 1;');
      const circle = "tasks: { a: { uses: 'compact', needs: ['b'] }, b: { uses: 'compact', needs: ['a'] } }";
      const midnight = "schedule: { cron: '0 0 * * *', timeZone: 'UTC' }";
      await writeFile(join(directory, 'circle.ts'), `export default { name: 'circle', ${midnight}, ${circle} };`);
      for (const [args, code, words] of [
        [['run', 'nigtly'], 'USAGE', 'Did you mean nightly?'],
        [['run', './nowhere.ts'], 'USAGE', 'there is no pipeline file'],
        [['run', './broken.ts'], 'CONFIG_INVALID', 'cannot be loaded'],
        [['run', './empty.ts'], 'CONFIG_INVALID', 'default export'],
        [['run', 'nightly', '--param', 'dayz=3'], 'USAGE', 'Did you mean days?'],
        [['run', 'nightly', '--param', 'days=0'], 'CONFIG_INVALID', 'task "reconcile", with: lastDays: expected'],
        [['run', 'backfill', '--param', 'from=2026-11-02', '--param', 'to=2026-11-01'], 'CONFIG_INVALID', 'no later'],
        [['run'], 'USAGE', 'npx edrlake run nightly --lake '],
        [['schedule', './circle.ts'], 'CONFIG_INVALID', 'a → b → a'],
        [['schedule'], 'USAGE', 'npx edrlake schedule nightly --lake '],
        [['runs', 'nothing'], 'LAKE_MISSING', 'edrlake backfill'],
      ] as const) {
        const ended = await runCommand([...args, ...(args[0] === 'runs' ? flags.slice(2) : flags)], { cwd });
        expect(ended.exitCode, ended.stderr).toBe(2);
        expect(ended.stdout).toBe('');
        const said = ended.stderr.replaceAll('\n', ' ');
        expect(said).toContain(`[${code}]`);
        expect(said).toContain(words);
        expect(ended.stderr, 'no stack').not.toMatch(/\n\s+at /);
      }
    });
  }, 240_000);

  it('have one run for missed due times by the schedule, which ends on a signal', async () => {
    await inFreshDirectory(async (directory) => {
      await mkdir(join(directory, 'pipelines'));
      await writeFile(join(directory, 'pipelines', 'check.ts'), PIPELINE);
      await writeFile(join(directory, 'marker'), '');
      const flags = flagsFor(directory).slice(0, -2);
      const running = startCommand(['schedule', ...flags], { cwd: directory });
      await running.said('check: catching up what was due at');
      await running.said('check: next run at');
      running.kill('SIGTERM');
      const ended = await running.ended;
      expect(ended.exitCode, ended.stderr).toBe(0);
      const { runs } = (await runJson(['runs', ...flags.slice(2)])) as { runs: { kind: string; state: string }[] };
      expect(runs.filter(({ kind }) => kind === 'pipeline')).toMatchObject([{ state: 'done' }]);
    });
  }, 240_000);

  it('are set up by init, which keeps a copy that was changed', async () => {
    await inFreshDirectory(async (directory) => {
      const cwd = directory;
      const written = await runCommand(['init', '--base-url', simulator.url], { cwd });
      expect(written.stdout).toContain('Wrote edrlake.config.ts and pipelines/nightly.ts.');
      const described = (await runJson(['run', 'nightly', '--dry-run'], { cwd })) as { tasks: { name: string }[] };
      expect(described.tasks.map(({ name }) => name)).toEqual(expect.arrayContaining(['sync', 'reconcile', 'repair']));
      await writeFile(join(directory, 'pipelines', 'nightly.ts'), '// mine');
      await rm(join(directory, 'edrlake.config.ts'));
      expect((await runCommand(['init'], { cwd })).stdout).toContain('pipelines/nightly.ts stays as it is.');
    });
  }, 240_000);

  it('are set up whole or not at all', async () => {
    await inFreshDirectory(async (cwd) => {
      const names = async () => (await readdir(cwd)).sort();
      await writeFile(join(cwd, 'pipelines'), 'a file where the folder would be');
      expect(await runCommand(['init'], { cwd })).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('cannot write'),
      });
      expect(await names()).toEqual(['pipelines']);
      await rm(join(cwd, 'pipelines'));
      await writeFile(join(cwd, 'edrlake.config.ts'), '// mine');
      expect(await runCommand(['init'], { cwd })).toMatchObject({
        exitCode: 2,
        stderr: expect.stringContaining('exists already'),
      });
      expect(await names()).toEqual(['edrlake.config.ts']);
    });
  });
});
