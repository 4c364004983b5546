import { seededRandom } from '@edrlake/core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { allTrials, COMMANDS, type SweptCommand, sampledTrials, type Trial, type Variant } from './sweep-plan.ts';
import { type Outcome, type SweepWorld, sweepWorld } from './sweep-world.ts';

/** `all`, or how many trials of each command; `npm run crash` sets it. */
const WANTED = process.env.EDRLAKE_TEST_CRASH_TRIALS ?? '2';
const SEED = Number(process.env.EDRLAKE_TEST_CRASH_SEED ?? '8');
const SWEPT = (process.env.EDRLAKE_TEST_CRASH_COMMANDS ?? COMMANDS.join(',')).split(',') as SweptCommand[];
/** What is done at each step where all are tried; everything unless given. */
const ACTIONS = process.env.EDRLAKE_TEST_CRASH_ACTIONS?.split(',') ?? null;
/** Processes wait for the disk most of the time. */
const TRIALS_AT_ONCE = 2;
const HOURS = 3_600_000;

/** Declares the tests of a variant. @param share of the trials, since variants go the same ways for the most part */
export function sweepTests(name: string, variant: Variant, share: number): void {
  describe(name, () => {
    let world: SweepWorld;
    beforeAll(async () => {
      world = await sweepWorld(variant);
    }, HOURS);
    afterAll(() => world.close());

    for (const command of SWEPT.filter((each) => variant.commands.includes(each))) {
      it(
        `${command}, killed or failing at any step, loses nothing, shows nothing wrong, and is whole after one more run`,
        async () => {
          const steps = await world.stepsOf(command);
          const random = seededRandom(SEED + COMMANDS.indexOf(command));
          const trials =
            WANTED === 'all'
              ? allTrials(command, steps, variant).filter(({ action }) => ACTIONS?.includes(String(action)) ?? true)
              : sampledTrials(command, steps, countOf(command, share), { random, variant });
          const failures: string[] = [];
          const outcomes = new Map<Outcome, number>();
          const queue = [...trials];
          const work = async () => {
            for (let trial = queue.shift(); trial !== undefined; trial = queue.shift()) {
              try {
                const outcome = await world.attempt(trial);
                outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
              } catch (thrown) {
                failures.push(`${trialText(trial)}\n${thrown instanceof Error ? thrown.message : String(thrown)}`);
                if (WANTED === 'all') process.stderr.write(`${failures.at(-1)}\n`);
              }
            }
          };
          await Promise.all(Array.from({ length: TRIALS_AT_ONCE }, work));
          const summary = [...outcomes].map(([outcome, count]) => `${count} ${outcome}`).join(', ');
          process.stderr.write(
            `${name}, ${command}: ${steps.length} steps, ${trials.length} trials: ${summary}, ${failures.length} wrong\n`,
          );
          expect(failures).toEqual([]);
        },
        10 * HOURS,
      );
    }
  });
}

/** A night takes as long as three of the others. */
function countOf(command: SweptCommand, share: number): number {
  return Math.ceil((Number(WANTED) * share) / (command === 'nightly' ? 2 : 1));
}

function trialText({ command, step, action }: Trial): string {
  return `${command}: ${action} at ${step.at} step ${step.number}, ${step.what}`;
}
