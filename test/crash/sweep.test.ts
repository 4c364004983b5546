import { seededRandom } from '@edrlake/core';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { allTrials, COMMANDS, type SweptCommand, sampledTrials, type Trial } from './sweep-plan.ts';
import { type Outcome, type SweepWorld, sweepWorld } from './sweep-world.ts';

/** `all`, or how many trials of each command; `npm run crash` sets it. */
const WANTED = process.env.EDRLAKE_TEST_CRASH_TRIALS ?? '2';
const SEED = Number(process.env.EDRLAKE_TEST_CRASH_SEED ?? '8');
const SWEPT = (process.env.EDRLAKE_TEST_CRASH_COMMANDS ?? COMMANDS.join(',')).split(',') as SweptCommand[];
/** Processes wait for the disk most of the time. */
const TRIALS_AT_ONCE = 2;
const HOURS = 3_600_000;

let world: SweepWorld;
beforeAll(async () => {
  world = await sweepWorld();
}, HOURS);
afterAll(() => world.close());

for (const command of SWEPT) {
  it(
    `${command}, killed or failing at any step, loses nothing, shows nothing wrong, and is whole after one more run`,
    async () => {
      const steps = await world.stepsOf(command);
      const random = seededRandom(SEED + COMMANDS.indexOf(command));
      const trials =
        WANTED === 'all' ? allTrials(command, steps) : sampledTrials(command, steps, countOf(command), random);
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
        `${command}: ${steps.length} steps, ${trials.length} trials: ${summary}, ${failures.length} wrong\n`,
      );
      expect(failures).toEqual([]);
    },
    10 * HOURS,
  );
}

/** A night takes as long as three of the others. */
function countOf(command: SweptCommand): number {
  return command === 'nightly' ? Math.ceil(Number(WANTED) / 2) : Number(WANTED);
}

function trialText({ command, step, action, what }: Trial): string {
  return `${command}: ${action} at step ${step}, ${what}`;
}
