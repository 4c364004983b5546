import { join } from 'node:path';
import { isoInstant, MS_PER_DAY, MS_PER_HOUR, MS_PER_MINUTE, parseRange, systemClock } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { inFreshDirectory, inPlainDuckDb, runCommand, runJson } from './command.ts';

const SETTLE_LAG_MS = 15 * MS_PER_MINUTE;
const SHIFTED_CLOCK = new URL('shifted-clock.mjs', import.meta.url).href;

it('a command whose clock is nine hours ahead loses no event that arrives later, and the days are reported correctly', async () => {
  const startMs = Math.floor(systemClock.nowMs() / MS_PER_DAY) * MS_PER_DAY - 3 * MS_PER_DAY;
  let trueMs = startMs + MS_PER_DAY + 6 * MS_PER_HOUR;
  const range = { startMs, endMs: startMs + 2 * MS_PER_DAY };
  const simulator = await startSimulator({
    events: 1_000,
    range,
    nowMs: trueMs,
    clock: { ...systemClock, nowMs: () => trueMs },
  });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = join(directory, 'lake');
      const edrlake = (skewMs: number, ...args: string[]) => {
        const shiftMs = trueMs + skewMs - systemClock.nowMs();
        const env = { NODE_OPTIONS: `--import ${SHIFTED_CLOCK}`, SHIFTED_CLOCK_MS: String(shiftMs) };
        return runCommand([...args, '--lake', lake], { env });
      };
      const sync = (skewMs: number) =>
        edrlake(skewMs, 'sync', '--since', isoInstant(startMs), '--base-url', simulator.url);

      const first = await sync(9 * MS_PER_HOUR);
      expect(first.exitCode, first.stderr).toBe(0);
      expect(first.stdout.replaceAll('\n', ' ')).toContain('Clocks are apart: the clock of this machine says');
      const doctor = await edrlake(9 * MS_PER_HOUR, 'doctor', '--base-url', simulator.url);
      expect(doctor.stdout).toMatch(/clock\s.*ahead of that of the\s+gateway/);
      for (const skewMs of [9 * MS_PER_HOUR, 0]) {
        trueMs += 2 * MS_PER_HOUR;
        simulator.setNow(trueMs);
        const next = await sync(skewMs);
        expect(next.exitCode, next.stderr).toBe(0);
      }
      const visible = simulator.truth.ids({ startMs, endMs: trueMs - SETTLE_LAG_MS }, 'processed');
      const stored = await inPlainDuckDb('select event_id from events', join(lake, 'lake.duckdb'));
      expect(stored.map(([id]) => id).sort()).toEqual([...visible].sort());

      const backfill = ['backfill', '--from', isoInstant(startMs).slice(0, 10), '--to', '9999-12-31'];
      const frozen = await edrlake(9 * MS_PER_HOUR, ...backfill, '--base-url', simulator.url);
      expect(frozen.exitCode, frozen.stderr).toBe(0);
      expect(frozen.stdout.replaceAll('\n', ' ')).toContain(`it ends at ${isoInstant(trueMs).replace('.000Z', 'Z')}`);
      const days = await inPlainDuckDb('select verdict from coverage order by event_date', join(lake, 'lake.duckdb'));
      expect(days).toEqual([['complete'], ['open']]);
      const status = await edrlake(0, 'status', '--max-age', '1h');
      expect(status.exitCode, status.stderr).toBe(0);
      expect(status.stdout).toContain('1 not over yet');
    });
  } finally {
    await simulator.close();
  }
}, 120_000);

it('finds what came after the days were proven, takes them from the gate, and repairs them', async () => {
  const [first, last] = ['2026-11-01', '2026-11-20'];
  const simulator = await startSimulator({ events: 600, range: parseRange(first, last), seed: 5, nowMs: null });
  try {
    await inFreshDirectory(async (directory) => {
      const lake = ['--lake', join(directory, 'lake')];
      const ends = ['--base-url', simulator.url, ...lake];
      const days = ['--from', first, '--to', last];
      const refused = await runCommand(['reconcile', '--max-requests', '5', ...ends]);
      expect(refused).toMatchObject({ exitCode: 2, stdout: '' });
      expect(refused.stderr).toContain('--max-requests goes with --sealed here');
      // Two days ago.
      const env = { NODE_OPTIONS: `--import ${SHIFTED_CLOCK}`, SHIFTED_CLOCK_MS: String(-2 * MS_PER_DAY) };
      expect(await runCommand(['backfill', ...days, ...ends], { env })).toMatchObject({ exitCode: 0 });
      simulator.addEvents({ events: 7, range: parseRange('2026-11-05', '2026-11-05') });

      const found = await runCommand(['reconcile', '--sealed', ...ends]);
      expect(found.exitCode, found.stderr).toBe(4);
      expect(found.stdout).toMatch(/^2026-11-05 +\d+ +\d+ +late \+7$/m);
      expect(found.stdout).toContain('20 of 20 due days counted again, 19 agree.');
      expect(found.stdout).toContain(`edrlake reconcile --lake ${join(directory, 'lake')} --sealed --repair`);
      expect(await runCommand(['gate', ...days, ...lake])).toMatchObject({ exitCode: 4 });
      expect((await runCommand(['status', ...lake])).stdout).toMatch(/^2026-11-05 +\d+ +\d+ +late /m);

      const short = await runCommand(['reconcile', '--sealed', '--max-requests', '2', ...ends]);
      expect([short.exitCode, short.stdout]).toEqual([3, expect.stringContaining('1 day left: ')]);

      const repaired = await runCommand(['reconcile', '--sealed', '--repair', ...ends]);
      expect(repaired.exitCode, repaired.stderr).toBe(0);
      expect(repaired.stdout).toContain('Complete again: 2026-11-05.');
      expect(await runCommand(['gate', ...days, ...lake])).toMatchObject({ exitCode: 0 });
      expect(await runJson(['reconcile', '--sealed', ...ends])).toMatchObject({ outcome: 'match', due: 0, sealed: 20 });
    });
  } finally {
    await simulator.close();
  }
}, 120_000);
