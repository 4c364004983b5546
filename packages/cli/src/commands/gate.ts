import { readGate } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { LAKE, OUTPUT, RANGE } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { gateDocument, gateExitCode, gateText } from '../render/gate-text.ts';
import { requiredRange, scopeOf } from '../session/connection-settings.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake gate` */
export const command = defineCommand({
  command: 'gate',
  describe: 'Exit with 0 only if every day of a range is proven',
  details: [
    'For dbt, Airflow, Dagster or make: run it before what reads the lake. A day is proven when it is over and settled, proofs cover all of it, not too much was rejected, and its files are there. It asks the lake alone, in milliseconds. The view events_proven shows the rows of the days that pass.',
    'With --require complete a day also fails when a later reconcile found a difference. With --max-age the whole lake must be proven up to that long ago.',
    'One line for each day that fails: what it is, since when, and the command to run. Exit codes: 0 all proven, 3 some days are not fetched, confirmed or over yet, 4 the lake and the API disagree, files are gone, or the lake is too old, 6 too much was rejected.',
  ],
  flags: ['require', 'max-age', ...RANGE, ...LAKE, ...OUTPUT],
  examples: [
    { command: 'edrlake gate --from 2026-11-14 --to 2026-11-20', purpose: 'may this week be used?' },
    { command: 'edrlake gate --from 2026-11-20 --to 2026-11-20 && dbt build', purpose: 'only then' },
    { command: 'edrlake gate --from 2026-11-01 --to 2026-11-20 --json', purpose: 'for a scheduler' },
  ],
  run,
});

/** Says whether every day of a range may be used. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const range = requiredRange(values, 'gate');
  const { stdout, env } = context;
  const lakeFlags = lakeFlagsOf(input);
  const question = { range, scope: scopeOf(values), require: values.require, maxAgeMs: values['max-age'] };
  const result = await withLakeToRead(values, context, (lake) =>
    readGate(lake, { ...question, nowMs: context.clock.nowMs() }),
  );
  if (values.json) await writeJson(stdout, gateDocument(result, lakeFlags));
  else await writeMessage(context, gateText(result, lakeFlags, stdout.isTTY === true ? lineWidth(stdout, env) : null));
  return gateExitCode(result);
}
