import { runProgram } from '@edrlake/cli';
import { PROMISES } from './checkers/promise-broken.ts';
import { readRequest, type SimulationRequest, USAGE } from './request.ts';
import { keepWorld, readCorpus } from './workload/corpus.ts';
import { planWorld } from './workload/plan-world.ts';
import { type Figure, runWorld, type WorldReport, type WorldRequest } from './workload/run-world.ts';
import { shrink } from './workload/shrink.ts';
import { type Step, stepText } from './workload/steps.ts';
import { loadModules } from './world/load-modules.ts';

/** A world to run, and its name. */
interface NamedWorld extends WorldRequest {
  readonly name: string;
  /** Flags that run it again. */
  readonly again: string;
}

/** Runs the worlds that the command line requests. @returns the exit code: 1 when a promise was broken */
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
  for (const world of worldsOf(request)) {
    if (Date.now() >= request.untilMs) break;
    const report = await runWorld(world, runProgram);
    worlds += 1;
    for (const [figure, count] of Object.entries(report.figures)) {
      totals[figure as Figure] = (totals[figure as Figure] ?? 0) + count;
    }
    if (report.broken === null) say(`${world.name}: all promises held, trace ${report.traceHash}`);
    else {
      failures += 1;
      await sayFailure(world, report, request);
    }
  }
  const figures = Object.entries(totals).map(([figure, count]) => `${figure} ${count}`);
  say(`worlds ${worlds}, failed ${failures}, ${figures.join(', ')}`);
  return failures === 0 ? 0 : 1;
}

function* worldsOf(request: SimulationRequest): Iterable<NamedWorld> {
  const { first, seeds, steps, only, traces, sabotage } = request;
  const common = { only, sabotage, onTrace: traces ? say : null };
  if (request.corpus) {
    for (const [name, { seed, plan }] of readCorpus()) {
      if (request.named === null || request.named === name) {
        yield { ...common, name, again: `--corpus --named ${name}`, seed, plan };
      }
    }
    return;
  }
  for (let seed = first; seed < first + seeds; seed += 1) {
    const again = `--seed ${seed} --steps ${steps}`;
    yield { ...common, name: `seed ${seed}`, again, seed, plan: planWorld(seed, steps) };
  }
}

async function sayFailure(world: NamedWorld, report: WorldReport, request: SimulationRequest): Promise<void> {
  const { broken } = report;
  if (broken === null) return;
  say(`${world.name}: BROKEN, trace ${report.traceHash}`);
  say(`  promise ${PROMISES[broken.promise]}`);
  say(`  found   ${broken.detail}`);
  const all = world.only ?? world.plan.steps.map((_, nth) => nth);
  const kept = request.shrinks ? await shrink(world, report, runProgram) : all;
  const steps = kept.map((nth) => world.plan.steps[nth] as Step);
  for (const [at, step] of steps.entries()) say(`  step ${kept[at]}: ${stepText(step)}`);
  if (broken.step < 0) say('  then the quiet end, without faults');
  say(`  again: npm run simulate -- ${world.again} --only ${kept.join(',') || '-1'}`);
  if (request.keep === null) return;
  const { promise, detail } = broken;
  keepWorld(request.keep, { bug: detail, promise, seed: world.seed, plan: { ...world.plan, steps } });
}

function say(line: string): void {
  process.stdout.write(`${line}\n`);
}
