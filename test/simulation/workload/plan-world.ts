import { dayOf, MS_PER_DAY, MS_PER_HOUR, type Random, seededRandom } from '@edrlake/core';
import type { Fault } from '@edrlake/simulator';
import { type ErrorCode, FAILING, type OperationFault } from '../faults/operation-faults.ts';
import { subSeed } from '../world/gateway.ts';
import { PASSWORD } from '../world/world.ts';
import type { DataChange, PlannedCommand, Step, WorldPlan } from './steps.ts';

/** Chooses with a seed. */
class Choice {
  readonly random: Random;

  constructor(seed: number) {
    this.random = seededRandom(seed);
  }

  chance(probability: number): boolean {
    return this.random() < probability;
  }

  /** A whole number between both, included. */
  between(first: number, last: number): number {
    return first + Math.floor(this.random() * (last - first + 1));
  }

  of<T>(items: readonly T[]): T {
    return items[Math.floor(this.random() * items.length)] as T;
  }
}

const MINUTE = 60_000;

/** The properties and steps of a world. The same seed gives the same plan; more steps only add to its end. */
export function planWorld(seed: number, steps: number): WorldPlan {
  const choose = new Choice(subSeed(seed, 'setting'));
  const startMs = Date.UTC(2026, 10, 20) + choose.between(0, MS_PER_DAY - 1);
  const firstMs = Date.UTC(2026, 10, 20) - choose.of([1, 1, 1, 2]) * MS_PER_DAY;
  const pageSize = choose.of([7, 10, 25, 60]);
  const limit = choose.chance(0.3) ? { requests: choose.between(12, 60), windowSeconds: choose.of([60, 600]) } : null;
  const setting = {
    startMs,
    gatewaySkewMs: choose.of([0, 0, 0, 0, -90_000, 90_000, -9 * MS_PER_HOUR, 9 * MS_PER_HOUR]),
    latencyMs: choose.of([0, 50, 400]),
    containers: choose.of([null, null, 'own names', 'one name'] as const),
    gateway: {
      credentials: { username: 'demo', password: PASSWORD },
      seed: choose.between(1, 1_000_000),
      events: choose.between(20, 240),
      range: { startMs: firstMs, endMs: startMs + 2 * MS_PER_DAY },
      agents: choose.between(1, 30),
      nullIdShare: choose.chance(0.2) ? 0.02 : 0,
      unknownFieldShare: choose.of([0, 0.05]),
      headerSpelling: choose.of(['joined', 'dashed', 'empty', 'none'] as const),
      histogramShape: choose.of(['epoch', 'iso', 'from_to', 'key-count', 'key-doc_count', 'unsupported'] as const),
      emptyAnswer: choose.of(['array', '204'] as const),
      tokenShape: choose.of(['jwt', 'opaque'] as const),
      tokenLifetimeSeconds: choose.of([600, 14_400]),
      timeBuckets: choose.chance(0.5),
      ...(limit === null ? {} : { rateLimit: limit }),
    },
  };
  const flags = ['--base-url', 'http://127.0.0.1:8443', '--page-size', String(pageSize)];
  if (choose.chance(0.25)) flags.push('--walk', 'search-after');
  if (choose.chance(0.2)) flags.push('--histogram', 'off');
  if (limit !== null) flags.push('--rate-limit', `${limit.requests}/${limit.windowSeconds}`);
  // A count and pages that are wrong by the same number agree with each other, and then nothing can show it.
  const wrong = choose.of(['counts', 'pages'] as const);
  const firstDay = dayOf(firstMs);
  const days = Math.round((Date.UTC(2026, 10, 20) - firstMs) / MS_PER_DAY);
  const planned = Array.from({ length: steps }, (_, nth) =>
    planStep(new Choice(subSeed(seed, `step ${nth}`)), { firstMs, startMs, days, flags, wrong, isFirst: nth === 0 }),
  );
  const [syncsAtEnd, compactsAtEnd] = [choose.chance(0.5), choose.chance(0.4)];
  return { setting, flags, firstDay, steps: planned, syncsAtEnd, compactsAtEnd };
}

interface Frame {
  readonly firstMs: number;
  readonly startMs: number;
  readonly days: number;
  readonly flags: readonly string[];
  readonly wrong: 'counts' | 'pages';
  readonly isFirst: boolean;
}

function planStep(choose: Choice, frame: Frame): Step {
  const drawn = choose.random();
  if (!frame.isFirst && drawn < 0.15)
    return { kind: 'pass', ms: choose.of([20 * MINUTE, 3 * MS_PER_HOUR, MS_PER_DAY]) };
  if (!frame.isFirst && drawn < 0.3) return { kind: 'change', change: planChange(choose, frame) };
  if (!frame.isFirst && drawn < 0.34) return { kind: 'clock', offsetMs: planClock(choose) };
  const commands: PlannedCommand[] = [planCommand(choose, frame, 0)];
  if (choose.chance(0.3)) commands.push(planCommand(choose, frame, choose.between(0, 4_000)));
  if (choose.chance(0.1)) commands.push(planCommand(choose, frame, choose.between(0, 4_000)));
  const gatewayFaults = choose.chance(0.5)
    ? Array.from({ length: choose.between(1, 4) }, () => planGatewayFault(choose, frame.wrong))
    : [];
  const changes = choose.chance(0.3) ? [{ afterMs: choose.between(0, 5_000), change: planChange(choose, frame) }] : [];
  const clock = choose.chance(0.05) ? { afterMs: choose.between(0, 4_000), offsetMs: planClock(choose) } : null;
  return { kind: 'commands', commands, gatewayFaults, changes, clock };
}

function planClock(choose: Choice): number {
  return choose.of([0, 0, -5 * MINUTE, 5 * MINUTE, -3 * MS_PER_HOUR, 3 * MS_PER_HOUR, MS_PER_DAY]);
}

function planCommand(choose: Choice, frame: Frame, startsAfterMs: number): PlannedCommand {
  return { args: planArguments(choose, frame), startsAfterMs, faults: planOperationFaults(choose) };
}

function planArguments(choose: Choice, { firstMs, days, flags }: Frame): string[] {
  const drawn = choose.random();
  const since = dayOf(firstMs);
  if (drawn < 0.33) {
    const first = choose.between(0, days);
    const last = choose.between(first, days);
    const day = (nth: number) => dayOf(firstMs + nth * MS_PER_DAY);
    const extra = choose.chance(0.35) ? choose.of(UNUSUAL) : [];
    return ['backfill', '--from', day(first), '--to', day(last), ...extra, ...flags];
  }
  if (drawn < 0.6) return ['sync', '--since', since, ...flags];
  if (drawn < 0.67) return ['run', 'nightly', '--param', `since=${since}`, '--param', 'days=3', ...flags];
  if (drawn < 0.75) return ['reconcile', '--repair', ...flags];
  if (drawn < 0.8) return ['reconcile', ...flags];
  if (drawn < 0.88) return ['compact'];
  if (drawn < 0.92) return ['vacuum', '--grace', choose.of(['0s', '1h'])];
  if (drawn < 0.96) return ['status', '--json'];
  return ['query', '--format', 'csv', 'select count(*), count(distinct event_id) from events'];
}

/** Ways to backfill that are not for every day. */
const UNUSUAL = [
  ['--force'],
  ['--replace'],
  ['--force', '--replace'],
  ['--max-requests', '3'],
  ['--max-requests', '6'],
];

/** How many operations of each kind a command with work to do has. */
const TYPICAL = {
  any: 900,
  duckdb: 200,
  stat: 80,
  read: 80,
  sync: 70,
  list: 50,
  mkdir: 50,
  open: 50,
  unlink: 40,
  write: 30,
  rename: 25,
  link: 18,
  create: 8,
} as const;

/** Many commands have a fault, at any operation; rare kinds are as likely as frequent ones. */
function planOperationFaults(choose: Choice): OperationFault[] {
  if (choose.chance(0.45)) return [];
  const kind = choose.of(Object.keys(TYPICAL) as (keyof typeof TYPICAL)[]);
  const nth = choose.between(1, choose.chance(0.3) ? 4 : TYPICAL[kind]);
  const drawn = choose.random();
  const when = choose.of(['before', 'half', 'after'] as const);
  if (drawn < 0.4) return [{ what: 'death', kind, nth, when }];
  if (drawn < 0.6) return [{ what: 'power-cut', kind, nth, when }];
  if (drawn < 0.68) return [{ what: 'interrupt', kind, nth }];
  const codes = Object.keys(FAILING) as ErrorCode[];
  return [{ what: 'error', kind, nth, code: choose.of(codes), times: choose.of([1, 1, 3, 1_000_000]) }];
}

const WRONG = {
  counts: [{ kind: 'zero-count' }, ...[-1000, -3, -1, 1, 5].map((offBy) => ({ kind: 'wrong-count', offBy }) as const)],
  pages: [{ kind: 'duplicate-row' }, { kind: 'missing-row' }],
} as const satisfies Record<string, readonly Fault[]>;

function planGatewayFault(choose: Choice, wrong: Frame['wrong']): Fault {
  const after = choose.between(0, 6);
  const fault = choose.of<Fault>([
    {
      kind: 'status',
      status: choose.of([500, 502, 503, 429, 403]),
      body: choose.of(['json', 'html', 'empty', 'plain']),
    },
    { kind: 'status', status: 401 },
    { kind: 'html' },
    { kind: 'stall', stallMs: choose.of([5_000, 400_000]), at: choose.of(['before-headers', 'mid-body']) },
    { kind: 'reset', at: choose.of(['before-headers', 'mid-body']) },
    { kind: 'truncated' },
    { kind: 'invalid-json' },
    { kind: 'reorder' },
    { kind: 'expired-token' },
    { kind: 'empty-body' },
    { kind: 'no-content' },
    { kind: 'error-object' },
    { kind: 'bare-number' },
    ...WRONG[wrong],
  ]);
  const endpoint = choose.of(['events', 'count', null] as const);
  const match = endpoint === null ? { after } : { endpoint, after };
  return { ...fault, match, times: choose.of([1, 1, 2, 8]) };
}

function planChange(choose: Choice, { firstMs, startMs, days }: Frame): DataChange {
  if (choose.chance(0.3)) {
    return { what: 'revise', nths: Array.from({ length: choose.between(1, 5) }, () => choose.between(0, 10_000)) };
  }
  const dayMs = firstMs + choose.between(0, days) * MS_PER_DAY;
  const spanMs = choose.of([1, MINUTE, MS_PER_HOUR]);
  const fromMs = Math.min(startMs - spanMs, dayMs + choose.between(0, MS_PER_DAY - spanMs));
  return {
    what: 'add',
    addition: { events: choose.between(1, 30), range: { startMs: fromMs, endMs: fromMs + spanMs } },
    processedAfterMs: choose.of([0, 2_000, MINUTE]),
  };
}
