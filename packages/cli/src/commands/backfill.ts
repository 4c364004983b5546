import type { ExportReport } from '@edrlake/runner';
import { exportRange, openEdrLake } from '@edrlake/runner';
import type { CommandInput } from '../command.ts';
import { requiredRange, scopeOf, withConnection } from '../gateway.ts';
import { writeJson } from '../json-output.ts';
import { lakeDirectory, lakeOptions } from '../lake-access.ts';
import { startDisplay } from '../progress-display.ts';
import { reportDocument, reportText } from '../report-text.ts';
import { newRunId } from '../run-id.ts';
import { lineWidth, type Surroundings, writeText } from '../surroundings.ts';

/** Spooled pages that are flattened and committed together. */
export const BATCH_BYTES = 64 * 1024 * 1024;

const EXIT_CODES: Readonly<Record<ExportReport['outcome'], number>> = { done: 0, partly: 3, mismatch: 4 };

/** Exports a range and proves it. Committed windows stay whatever happens; the next run goes on from there. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values } = input;
  const request = { axis: 'event', ranges: [requiredRange(values, 'backfill')], scope: scopeOf(values) } as const;
  const directory = lakeDirectory(values, surroundings);
  const display = startDisplay(values, surroundings);
  let report: ExportReport;
  try {
    report = await withConnection(values, surroundings, display.emit, async (connection, services) => {
      const lake = await openEdrLake(directory, lakeOptions(values, 'write'), services);
      try {
        const options = {
          concurrency: values.concurrency,
          batchBytes: BATCH_BYTES,
          force: values.force,
          replace: values.replace,
        };
        const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
        return await exportRange(ends, request, options, {
          ...services,
          newRunId: newRunId(surroundings),
        });
      } finally {
        await lake.close();
      }
    });
  } finally {
    display.stop();
  }
  if (values.json) await writeJson(surroundings.stdout, reportDocument(report));
  else await writeText(surroundings.stdout, reportText(report, lineWidth(surroundings.stdout, surroundings.env)));
  return EXIT_CODES[report.outcome];
}
