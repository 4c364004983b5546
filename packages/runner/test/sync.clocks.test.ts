import { type Clock, MS_PER_HOUR, MS_PER_MINUTE, NO_FILTER, parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { diagnose } from '../src/doctor/diagnose.ts';
import { syncNewEvents } from '../src/sync/sync.ts';
import { watermarkOf } from '../src/sync/watermark.ts';
import { OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

/** True time; the gateway's clock is right unless a test says otherwise. */
const START_MS = Date.UTC(2020, 7, 18, 6);
const DAYS = parseRange('2020-08-17', '2020-08-18');
const REQUEST = {
  axis: 'processed',
  scope: NO_FILTER,
  sinceMs: DAYS.startMs,
  lookBackMs: 30 * MS_PER_MINUTE,
  settleLagMs: 15 * MS_PER_MINUTE,
} as const;

interface World {
  /** True time. */
  trueMs: number;
  /** This machine's clock minus true time. */
  skewMs: number;
  /** Changes the skew after this number of answers in the next sync. */
  jump: { afterRequests: number; toMs: number } | null;
}

/** A gateway that keeps receiving events, and a machine with a wrong clock. */
async function inWorld(
  work: (world: World, stage: Stage, sync: () => ReturnType<typeof syncNewEvents>) => Promise<void>,
  gatewaySkewMs: number | null = 0,
): Promise<void> {
  const world: World = { trueMs: START_MS, skewMs: 0, jump: null };
  const sleep: Clock['sleep'] = async (_, signal) => signal.throwIfAborted();
  const trueClock: Clock = { nowMs: () => world.trueMs, sleep };
  const wrongClock: Clock = { nowMs: () => world.trueMs + world.skewMs, sleep };
  const simulated = { events: 400, range: DAYS, nowMs: START_MS, clockSkewMs: gatewaySkewMs };
  await onStage({ ...simulated, gatewayClock: trueClock, clock: wrongClock }, async (stage) => {
    const sync = async () => {
      stage.simulator.setNow(world.trueMs);
      let requests = 0;
      const services = stage.services({
        emit: (event) => {
          if (event.type !== 'request') return;
          requests += 1;
          if (requests === world.jump?.afterRequests) world.skewMs = world.jump.toMs;
        },
      });
      return syncNewEvents(stage.ends, REQUEST, OPTIONS, services);
    };
    await work(world, stage, sync);
  });
}

async function idsIn({ lake }: Stage): Promise<(string | null)[]> {
  return (await rowsOf(lake, 'select event_id from events')).map(([id]) => id ?? null).sort();
}

/** Everything that was processed until then. */
function visible({ simulator }: Stage, untilMs: number): string[] {
  return [...simulator.truth.ids({ startMs: DAYS.startMs, endMs: untilMs }, 'processed')].sort();
}

describe('a clock of this machine that is wrong loses nothing and proves nothing that has not happened', () => {
  it.each([
    ['nine hours ahead', [9, 9, 9]],
    ['nine hours ahead, then right', [9, 0, 0]],
    ['right, then a year ahead, then right', [0, 8_760, 0]],
    ['three minutes ahead', [0.05, 0.05, 0.05]],
  ])(
    '%s',
    async (_, skewHours) => {
      await inWorld(async (world, stage, sync) => {
        for (const hours of skewHours) {
          world.skewMs = hours * MS_PER_HOUR;
          const report = await sync();
          expect(report.watermarkAfterMs).toBe(world.trueMs - REQUEST.settleLagMs);
          expect(await idsIn(stage)).toEqual(visible(stage, world.trueMs - REQUEST.settleLagMs));
          world.trueMs += 2 * MS_PER_HOUR;
        }
      });
    },
    120_000,
  );

  it('nine hours behind, and right again', async () => {
    await inWorld(async (world, stage, sync) => {
      world.skewMs = -9 * MS_PER_HOUR;
      const behind = await sync();
      const untilMs = world.trueMs + world.skewMs - REQUEST.settleLagMs;
      expect(behind.watermarkAfterMs).toBe(untilMs);
      expect(await idsIn(stage)).toEqual(visible(stage, untilMs));
      world.skewMs = 0;
      await sync();
      expect(await idsIn(stage)).toEqual(visible(stage, world.trueMs - REQUEST.settleLagMs));
    });
  }, 120_000);

  it.each([
    ['ahead', 9],
    ['back', -9],
  ])(
    'jumping nine hours %s in the middle of a sync',
    async (_, hours) => {
      for (const afterRequests of [1, 3]) {
        await inWorld(async (world, stage, sync) => {
          world.jump = { afterRequests, toMs: hours * MS_PER_HOUR };
          const first = await sync();
          expect(first.watermarkAfterMs ?? 0).toBeLessThanOrEqual(world.trueMs - REQUEST.settleLagMs);
          world.trueMs += 2 * MS_PER_HOUR;
          world.skewMs = 0;
          world.jump = null;
          const next = await sync();
          expect(next.watermarkAfterMs).toBe(world.trueMs - REQUEST.settleLagMs);
          expect(await idsIn(stage)).toEqual(visible(stage, world.trueMs - REQUEST.settleLagMs));
        });
      }
    },
    120_000,
  );

  it('and a gateway whose clock is behind the proofs is named', async () => {
    await inWorld(async (world, _, sync) => {
      await sync();
      world.skewMs = 9 * MS_PER_HOUR;
      world.trueMs -= 2 * MS_PER_HOUR;
      await expect(sync()).rejects.toMatchObject({ code: 'CLOCK_WRONG', hint: expect.stringContaining('doctor') });
      world.trueMs += 4 * MS_PER_HOUR;
      expect((await sync()).watermarkAfterMs).toBe(world.trueMs - REQUEST.settleLagMs);
    });
  }, 120_000);

  it('without a Date header it is the only clock, and doctor says so', async () => {
    await inWorld(async (world, stage, sync) => {
      const report = await sync();
      expect(report.clocks.serverMs).toBeNull();
      expect(report.watermarkAfterMs).toBe(world.trueMs - REQUEST.settleLagMs);
      expect(await clockFinding(stage)).toMatchObject({ status: 'warn', found: expect.stringContaining('no Date') });
    }, null);
  }, 120_000);
});

describe('doctor', () => {
  it.each([
    [0, 'ok', 'as that of the gateway'],
    [9 * MS_PER_HOUR, 'warn', 's ahead of that of the gateway'],
    [-9 * MS_PER_HOUR, 'warn', 's behind that of the gateway'],
    [3_000, 'ok', 'as that of the gateway'],
  ])('compares the clocks: %i ms', async (skewMs, status, found) => {
    await inWorld(async (world, stage) => {
      world.skewMs = skewMs;
      expect(await clockFinding(stage)).toMatchObject({ status, found: expect.stringContaining(found) });
    });
  });
});

async function clockFinding({ simulator, lake, services }: Stage) {
  const settings = { baseUrl: simulator.url, username: 'demo', password: 'demo' };
  const findings = await diagnose({ settings, lakeDirectory: lake.directory, range: DAYS }, services());
  return findings.find(({ name }) => name === 'clock');
}

it('proofs of a clock nine hours ahead, without a Date, are not believed once that clock is right', async () => {
  await inWorld(async (world, stage, sync) => {
    await sync();
    const provenMs = world.trueMs - REQUEST.settleLagMs;
    world.trueMs += MS_PER_HOUR;
    world.skewMs = 9 * MS_PER_HOUR;
    await sync();
    world.skewMs = 0;
    world.trueMs += MS_PER_HOUR;
    expect(await watermarkOf(stage.lake, 'processed', NO_FILTER, world.trueMs)).toBeLessThan(
      provenMs + REQUEST.settleLagMs + 1,
    );
    // The second time its date has passed, and only the proofs that were committed after it show that it was wrong.
    for (const hours of [0, 12]) {
      world.trueMs += hours * MS_PER_HOUR;
      const repaired = await sync();
      expect(repaired.watermarkAfterMs).toBe(world.trueMs - REQUEST.settleLagMs);
      expect(await idsIn(stage)).toEqual(visible(stage, world.trueMs - REQUEST.settleLagMs));
    }
  }, null);
}, 120_000);
