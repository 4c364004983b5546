import type { ExportReport } from '@edrlake/runner';
import { exportRange } from '@edrlake/runner';
import type { CommandInput } from '../command.ts';
import { requiredRange, scopeOf } from '../gateway.ts';
import { writeJson } from '../json-output.ts';
import { EXPORT_EXIT_CODES, withLakeSession } from '../lake-session.ts';
import { startDisplay } from '../progress-display.ts';
import { reportDocument, reportText } from '../report-text.ts';
import { lineWidth, type Surroundings, writeText } from '../surroundings.ts';

/** Exports a range and proves it. Committed windows stay whatever happens; the next run goes on from there. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values } = input;
  const { stdout, env } = surroundings;
  const request = { axis: 'event', ranges: [requiredRange(values, 'backfill')], scope: scopeOf(values) } as const;
  const display = startDisplay(values, surroundings);
  const report: ExportReport = await withLakeSession(
    values,
    surroundings,
    { display, priority: 'normal' },
    ({ ends, options, runServices }) => exportRange(ends, request, options, runServices()),
  );
  if (values.json) await writeJson(stdout, reportDocument(report));
  else await writeText(stdout, reportText(report, lineWidth(stdout, env)));
  return EXPORT_EXIT_CODES[report.outcome];
}
