import { MS_PER_DAY, MS_PER_MINUTE, parseRange } from '@edrlake/core';
import type { Ended, World } from '../world/world.ts';
import type { LakeChecker } from './check-lake.ts';
import type { StoredLake } from './lake-reader.ts';
import { PromiseBroken } from './promise-broken.ts';

/** Events that were processed less than this before a sync began may still be arriving. */
const SETTLE_LAG_MS = 15 * MS_PER_MINUTE;

/** The disturbances that a world did not have, so that more must be true in it. */
export interface Undisturbed {
  /** The limiter's state was never lost, and no clock jumped: the limit must be kept to the request. */
  readonly limits: boolean;
}

/** Compares the exit codes and the output of commands with the truth. @throws {PromiseBroken} */
export function checkCommands(
  world: World,
  checker: LakeChecker,
  ended: readonly Ended[],
  lake: StoredLake,
  undisturbed: Undisturbed,
): void {
  for (const each of ended) {
    const { stdout, stderr, exitCode, args } = each;
    if (/\[BUG\]/.test(stderr)) throw new PromiseBroken('bug', `${args[0]}: ${stderr.trim().slice(-300)}`);
    // The user has the same name.
    if (/secret-demo/.test(stdout + stderr)) throw new PromiseBroken('secrets', 'the password is in the output');
    if (exitCode === 0) checkDone(world, checker, each);
  }
  if (ended.length === 1 && ended[0]?.exitCode === 0) checkShown(world, checker, ended[0], lake);
  const refused = world.gateway.simulator.calls.all().filter(({ status, fault }) => status === 429 && fault === null);
  if (undisturbed.limits && refused.length > 0) {
    const { atMs, endpoint } = refused[0] as (typeof refused)[number];
    const detail = `${refused.length} requests over the limit, the first for ${endpoint} at ${new Date(atMs).toISOString()}`;
    throw new PromiseBroken('limits', detail);
  }
}

/** Exit code 0: the request of the command is completed. */
function checkDone(world: World, checker: LakeChecker, ended: Ended): void {
  const { args } = ended;
  // By the earlier of both clocks, as the gateway's time.
  const skewMs = world.gateway.nowMs() - world.scheduler.nowMs;
  const nowMs = Math.min(ended.startedAtMs + skewMs, ended.startedAtMs + ended.clockOffsetMs);
  switch (args[0]) {
    case 'backfill': {
      const { startMs, endMs } = parseRange(flag(args, '--from'), flag(args, '--to'));
      // A resumed run with a frozen end claims what is before that.
      const frozen = /it ends at\s+(\S+)\. /.exec(ended.stdout)?.[1];
      const untilMs = frozen === undefined ? endMs : Date.parse(frozen);
      checker.checkBrought(ended, 'event', { startMs, endMs: Math.min(untilMs, nowMs - SETTLE_LAG_MS) });
      return;
    }
    case 'sync':
      checker.checkBrought(ended, 'processed', {
        startMs: Date.parse(flag(args, '--since')),
        endMs: nowMs - SETTLE_LAG_MS,
      });
      return;
    case 'reconcile':
      for (const day of checker.knownDays) {
        const startMs = Date.parse(day);
        // Only days that are over by the command's clock are compared.
        if (startMs + MS_PER_DAY > ended.startedAtMs + ended.clockOffsetMs) continue;
        const endMs = Math.min(startMs + MS_PER_DAY, nowMs - SETTLE_LAG_MS);
        checker.checkBrought(ended, 'event', { startMs, endMs });
      }
  }
}

/** The checked part of a status: one line for each day, or for several without an event. */
interface ShownCoverage {
  readonly coverage: readonly {
    readonly day: string;
    readonly lastDay: string;
    readonly scope: string;
    readonly verdict: string;
    readonly inLake: number;
  }[];
}

/**
 * Days that a status reports as complete are over by the gateway's clock, and lack nothing that existed from the
 * beginning.
 */
function checkCoverage(world: World, checker: LakeChecker, { stdout }: Ended, lake: StoredLake): void {
  const { coverage } = JSON.parse(stdout) as ShownCoverage;
  for (const { day, lastDay, scope, verdict, inLake } of coverage) {
    const range = { startMs: Date.parse(day), endMs: Date.parse(lastDay) + MS_PER_DAY };
    const rows = lake.events.filter((event) => event.day >= day && event.day <= lastDay).length;
    if (inLake !== rows) throw new PromiseBroken('exit code', `status shows ${inLake} events on ${day}, not ${rows}`);
    if (verdict !== 'complete' || scope !== 'all') continue;
    if (range.endMs > world.gateway.nowMs()) throw new PromiseBroken('proven', `${lastDay} is complete and not over`);
    checker.checkComplete(range, day);
  }
}

/** The output of a command that ran alone equals the content of the lake. */
function checkShown(world: World, checker: LakeChecker, ended: Ended, lake: StoredLake): void {
  const { args, stdout } = ended;
  if (args[0] === 'status') checkCoverage(world, checker, ended, lake);
  if (args[0] === 'query') {
    const counts = stdout.trim().split('\n').at(-1);
    const expected = `${lake.events.length},${lake.events.length}`;
    if (counts !== expected) throw new PromiseBroken('exit code', `query counts ${counts}, the lake holds ${expected}`);
  }
}

function flag(args: readonly string[], name: string): string {
  return args[args.indexOf(name) + 1] ?? '';
}
