import { bothClocks, refuseFuture, type TimeRange } from '@edrlake/core';
import type { ExportReport } from '@edrlake/runner';
import { knownDays } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, LAKE, OUTPUT, PLATFORM, PROGRESS, RANGE } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { wantedRanges } from '../args/wanted-ranges.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { writeRejects } from '../render/rejects-text.ts';
import { reportDocument, reportText } from '../render/report-text.ts';
import { optionalRange, requiredRange, scopeOf } from '../session/connection-settings.ts';
import { lakeDirectory, requireLake } from '../session/lake-access.ts';
import { EXPORT_EXIT_CODES, type LakeSession, withLakeSession } from '../session/lake-session.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake backfill` */
export const command = defineCommand({
  command: 'backfill',
  describe: 'Export a range of days into the lake and prove it complete',
  details: [
    'Safe to interrupt and to repeat: what is proven is kept, an unfinished run is resumed, and a range that is complete costs only counts.',
    'With --only, just the ranges in that state are fetched, by default among all days the lake knows.',
    'Exit codes: 0 all proven, 3 some windows failed or are unverified (run again), 4 the lake and the API disagree, 6 too many records were rejected.',
    'With --writer parquetjs no native code is loaded: for machines without DuckDB, at about four times the CPU. Files then have gzip, no statistics and no bloom filters; query, compact and all else need DuckDB.',
  ],
  flags: [
    ...RANGE,
    'only',
    'max-reject-share',
    'force',
    'replace',
    ...GATEWAY,
    ...PLATFORM,
    ...LAKE,
    'writer',
    ...OUTPUT,
    ...PROGRESS,
  ],
  examples: [
    { command: 'edrlake backfill --from 2020-08-17 --to 2020-08-19', purpose: 'three whole days' },
    {
      command: "edrlake backfill --from 2020-08-17 --to 2020-08-17 --filter 'type: FILE'",
      purpose: 'only file events',
    },
    { command: 'edrlake backfill --only missing', purpose: 'what was never fetched between' },
  ],
  run,
});

/** Exports a range and proves it. Committed windows stay after any failure; the next run continues from there. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const range = values.only === null ? requiredRange(values, 'backfill') : optionalRange(values);
  if (range !== null) refuseFuture('--from', range.startMs, bothClocks(context.clock.nowMs(), null));
  if (values.only !== null) await requireLake(lakeDirectory(values, context));
  const display = startDisplay(values, context);
  return withLakeSession(
    values,
    context,
    { display, priority: 'normal', writer: values.writer },
    (session) => backfill(range, values, session),
    (report) => show(report, values, context),
  );
}

async function show(report: ExportReport | null, values: FlagValues, context: ProcessContext): Promise<number> {
  const { stdout, env } = context;
  if (report === null) {
    const nothing = `Nothing to do: ${values.only === 'failed' ? 'no failed window is left' : `nothing is ${values.only}`}.`;
    if (values.json) await writeJson(stdout, { outcome: 'done', only: values.only, ranges: [] });
    else await writeMessage(context, `${nothing}\n`);
    return 0;
  }
  if (values.json) await writeJson(stdout, reportDocument(report));
  else await writeMessage(context, reportText(report, lineWidth(stdout, env)));
  await writeRejects([report], context);
  return EXPORT_EXIT_CODES[report.outcome];
}

/** null where only a part was wanted and there is none. */
async function backfill(
  range: TimeRange | null,
  values: FlagValues,
  { ends, lake, options, services, runServices }: LakeSession,
): Promise<ExportReport | null> {
  const scope = scopeOf(values);
  const whole = range ?? (await knownDays(lake, services.clock.nowMs()));
  if (whole === null) return null;
  const nowMs = services.clock.nowMs();
  const ranges = values.only === null ? [whole] : await wantedRanges(lake, values.only, whole, scope, nowMs);
  // Of days that have not come yet nothing is wanted.
  if (ranges.every(({ startMs }) => startMs >= nowMs)) return null;
  const { exportRange } = await import('@edrlake/runner');
  const request = { axis: 'event', ranges: ranges.map((range) => ({ range })), scope } as const;
  return exportRange(ends, request, options, runServices());
}
