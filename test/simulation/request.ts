import { parseArgs } from 'node:util';
import type { Sabotage } from './workload/run-world.ts';

/** The command line in words. */
export const USAGE = `npm run simulate -- [options]

Lives through simulated worlds and compares each lake with the truth.

  --seed S         The first seed; default: one of this moment
  --seeds N        How many seeds, counted up from the first; default 1
  --steps N        Steps in each world; default 8
  --only 0,2       Only these steps
  --minutes M      Begin no other world after M minutes
  --corpus         The worlds in which a promise broke once
  --named NAME     Only this one of them
  --keep NAME      Keep a failure's fewest steps there under this name
  --sabotage WHAT  Break the world itself, to see that it is noticed:
                   syncs or count
  --no-shrink      Do not look for the fewest steps of a failure
  --trace          Print every operation, and what commands say
  --help           Say this`;

/** The options of a run of the simulation. */
export interface SimulationRequest {
  readonly first: number;
  readonly seeds: number;
  readonly steps: number;
  readonly only: readonly number[] | null;
  /** By the real clock. */
  readonly untilMs: number;
  readonly corpus: boolean;
  readonly named: string | null;
  readonly keep: string | null;
  readonly sabotage: Sabotage | null;
  readonly shrinks: boolean;
  readonly traces: boolean;
}

/** Reads the command line; null where the help is requested or an option is wrong. */
export function readRequest(args: readonly string[]): SimulationRequest | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1' },
      steps: { type: 'string', default: '8' },
      only: { type: 'string' },
      minutes: { type: 'string', default: 'Infinity' },
      corpus: { type: 'boolean', default: false },
      named: { type: 'string' },
      keep: { type: 'string' },
      sabotage: { type: 'string' },
      'no-shrink': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const first = Number(values.seed ?? Date.now() % 1_000_000_000);
  const [seeds, steps, minutes] = [Number(values.seeds), Number(values.steps), Number(values.minutes)];
  const only = values.only?.split(',').map(Number) ?? null;
  const { sabotage = null } = values;
  if (sabotage !== null && sabotage !== 'syncs' && sabotage !== 'count') return null;
  const isRight = [first, seeds, steps, ...(only ?? [])].every(Number.isSafeInteger) && !Number.isNaN(minutes);
  if (values.help || !isRight) return null;
  return {
    ...{ first, seeds, steps, only, sabotage },
    untilMs: Date.now() + minutes * 60_000,
    corpus: values.corpus,
    named: values.named ?? null,
    keep: values.keep ?? null,
    shrinks: !values['no-shrink'],
    traces: values.trace,
  };
}
