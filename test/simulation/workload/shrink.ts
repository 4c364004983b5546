import type { RunProgram } from '../world/world.ts';
import { runWorld, type WorldReport, type WorldRequest } from './run-world.ts';

/** The most repetitions of a world to find the steps that matter. */
const MAX_ATTEMPTS = 24;

/** The fewest steps found that break the same promise; the last ones are left out first. */
export async function shrink(
  request: WorldRequest,
  report: WorldReport,
  runProgram: RunProgram,
): Promise<readonly number[]> {
  const last = report.broken?.step ?? -1;
  const all = request.only ?? request.plan.steps.map((_, nth) => nth);
  let kept = last < 0 ? all : all.filter((nth) => nth <= last);
  let attempts = 0;
  for (const nth of kept.toReversed()) {
    if (attempts >= MAX_ATTEMPTS) break;
    if (nth === last) continue;
    attempts += 1;
    const only = kept.filter((other) => other !== nth);
    const again = await runWorld({ ...request, only, onTrace: null }, runProgram);
    if (again.broken?.promise === report.broken?.promise) kept = only;
  }
  return kept;
}
