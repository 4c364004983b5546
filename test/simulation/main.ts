import { parseArgs } from 'node:util';
import { runProgram } from 'edrlake';
import { PROMISES } from './checkers/promise-broken.ts';
import { planWorld } from './workload/plan-world.ts';
import { type Figure, runWorld, type WorldReport, type WorldRequest } from './workload/run-world.ts';
import { shrink } from './workload/shrink.ts';
import { stepText } from './workload/steps.ts';
import { loadModules } from './world/load-modules.ts';

const USAGE = `npm run simulate -- [options]

Lives through simulated worlds and compares each lake with the truth.

  --seed S      The first seed; default: one of this moment
  --seeds N     How many seeds, counted up from the first; default 1
  --steps N     Steps in each world; default 8
  --only 0,2    Only these steps
  --minutes M   Begin no other seed after so long
  --no-shrink   Do not look for the fewest steps of a failure
  --trace       Print every operation
  --help        Say this`;

/** What one process of the simulation is asked for. */
interface Request {
  readonly first: number;
  readonly seeds: number;
  readonly steps: number;
  readonly only: readonly number[] | null;
  readonly untilMs: number;
  readonly shrinks: boolean;
  readonly traces: boolean;
}

/** Lives through the worlds that the command line asks for. @returns the exit code: 1 when a promise was broken */
export async function main(args: readonly string[]): Promise<number> {
  const request = readRequest(args);
  if (request === null) {
    say(USAGE);
    return 2;
  }
  await loadModules();
  const totals: Partial<Record<Figure, number>> = {};
  let worlds = 0;
  let failures = 0;
  for (let seed = request.first; seed < request.first + request.seeds && Date.now() < request.untilMs; seed += 1) {
    const { steps, only } = request;
    const asked = { seed, steps, only, onTrace: request.traces ? say : null };
    const report = await runWorld(asked, runProgram);
    worlds += 1;
    for (const [figure, count] of Object.entries(report.figures)) {
      totals[figure as Figure] = (totals[figure as Figure] ?? 0) + count;
    }
    if (report.broken !== null) {
      failures += 1;
      await sayFailure(asked, report, request.shrinks);
    } else say(`seed ${seed}: all promises held, trace ${report.traceHash}`);
  }
  const figures = Object.entries(totals).map(([figure, count]) => `${figure} ${count}`);
  say(`seeds ${worlds}, failed ${failures}, ${figures.join(', ')}`);
  return failures === 0 ? 0 : 1;
}

function readRequest(args: readonly string[]): Request | null {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seed: { type: 'string' },
      seeds: { type: 'string', default: '1' },
      steps: { type: 'string', default: '8' },
      only: { type: 'string' },
      minutes: { type: 'string' },
      'no-shrink': { type: 'boolean', default: false },
      trace: { type: 'boolean', default: false },
      help: { type: 'boolean', default: false },
    },
  });
  const [first, seeds, steps] = [values.seed ?? String(Date.now() % 1_000_000_000), values.seeds, values.steps].map(
    Number,
  );
  const only = values.only?.split(',').map(Number) ?? null;
  const minutes = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes);
  const numbers = [first, seeds, steps, ...(only ?? [])];
  if (values.help || numbers.some((each) => !Number.isSafeInteger(each)) || Number.isNaN(minutes)) return null;
  return {
    first: first ?? 0,
    seeds: seeds ?? 1,
    steps: steps ?? 1,
    only,
    untilMs: Date.now() + minutes * 60_000,
    shrinks: !values['no-shrink'],
    traces: values.trace,
  };
}

async function sayFailure(request: WorldRequest, report: WorldReport, shrinks: boolean): Promise<void> {
  const { seed, steps } = request;
  const { broken } = report;
  if (broken === null) return;
  say(`seed ${seed}: BROKEN, trace ${report.traceHash}`);
  say(`  promise ${PROMISES[broken.promise]}`);
  say(`  found   ${broken.detail}`);
  const all = request.only ?? Array.from({ length: steps }, (_, nth) => nth);
  const kept = shrinks ? await shrink(request, report, runProgram) : all;
  const plan = planWorld(seed, steps);
  for (const nth of kept) say(`  step ${nth}: ${stepText(plan.steps[nth] as (typeof plan.steps)[number])}`);
  if (broken.step < 0) say('  then the quiet end, without faults');
  say(`  again: npm run simulate -- --seed ${seed} --steps ${steps} --only ${kept.join(',') || '-1'}`);
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
