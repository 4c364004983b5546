import {
  bothClocks,
  EdrlakeError,
  MS_PER_SECOND,
  refuseFuture,
  startOfDayMs,
  sum,
  type TimeRange,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import type { Connection, ExportOptions, ExportReport, Services } from '@edrlake/runner';
import { knownDays, lossOf, lossText, readGate, readHorizon } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { deadlineAfter } from '../args/flags/story-flags.ts';
import { ENGINE, GATEWAY, LAKE, OUTPUT, PLATFORM, PROGRESS, RANGE } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { wantedRanges } from '../args/wanted-ranges.ts';
import { type BackfillPreview, previewDocument, previewText } from '../investigate/planned-days-text.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { writeRejects } from '../render/rejects-text.ts';
import { reportDocument, reportText } from '../render/report-text.ts';
import { optionalRange, requiredRange, scopeOf, withConnection } from '../session/connection-settings.ts';
import { requireLake } from '../session/lake-access.ts';
import { EXPORT_EXIT_CODES, type LakeSession, withLakeSession } from '../session/lake-session.ts';
import { observed } from '../session/telemetry.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake backfill` */
export const command = defineCommand({
  command: 'backfill',
  describe: 'Export a range of days into the lake and prove it complete',
  details: [
    'Safe to interrupt and to repeat: what is proven is kept, an unfinished run is resumed, and a range that is complete costs only counts.',
    'With --max-requests or --deadline the newest windows are fetched first, as many as fit; the rest is left for the next run (exit code 3). Where the lake has learned how far back the API answers, what will be lost first is fetched first.',
    'With --dry-run it counts, and lists days, reasons, windows, requests and duration; it fetches and changes nothing.',
    'With --only, just the ranges in that state are fetched, by default among all days the lake knows.',
    'Exit codes: 0 all proven, 3 some windows failed or are unverified (run again), 4 the lake and the API disagree, 6 too many records were rejected.',
    'With --engine temporal a long range is a workflow on a Temporal server, and workers export a week at a time, the newest first.',
    'With --writer parquetjs no native code is loaded: for machines without DuckDB, at about five times the CPU. Files then have gzip, no statistics and no bloom filters; query, compact and all else need DuckDB.',
  ],
  flags: [
    ...RANGE,
    'only',
    'max-requests',
    'deadline',
    'dry-run',
    'max-reject-share',
    'force',
    'replace',
    ...ENGINE,
    ...GATEWAY,
    ...PLATFORM,
    ...LAKE,
    'writer',
    'publish',
    ...OUTPUT,
    ...PROGRESS,
    'telemetry',
  ],
  examples: [
    { command: 'edrlake backfill --from 2020-08-17 --to 2020-08-19', purpose: 'three whole days' },
    {
      command: "edrlake backfill --from 2020-08-17 --to 2020-08-17 --filter 'type: FILE'",
      purpose: 'only file events',
    },
    { command: 'edrlake backfill --only missing --dry-run', purpose: 'what was never fetched between' },
  ],
  run: observed('backfill', run),
  isElsewhere: ({ engine, 'dry-run': isDry }) => engine === 'temporal' && !isDry,
});

/** Exports a range and proves it. Committed windows stay after any failure; the next run continues from there. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  if (values.engine === 'temporal' && !values['dry-run']) {
    const { backfillThere } = await import('../temporal/backfill-there.ts');
    return backfillThere(input, context);
  }
  const range = values.only === null ? requiredRange(values, 'backfill') : optionalRange(values);
  if (range !== null) refuseFuture('--from', range.startMs, bothClocks(context.clock.nowMs(), null));
  if (values.only !== null) await requireLake(values, context);
  if (values['dry-run']) return preview(range, values, context);
  const display = startDisplay(values, context);
  return withLakeSession(
    values,
    context,
    { command: 'backfill', display, priority: 'normal', writer: values.writer },
    (session) => backfill(range, values, session),
    (report) => show(report, values, context),
  );
}

/** Lists what the backfill would fetch, and why. */
async function preview(range: TimeRange | null, values: FlagValues, context: ProcessContext): Promise<number> {
  const { stdout, env } = context;
  const display = startDisplay({ ...values, 'no-progress': true }, context);
  try {
    const found = await withConnection(
      values,
      context,
      { command: 'backfill', emit: display.emit },
      (connection, services) =>
        withLakeIfThere(values, context, (lake) => previewOf(lake, range, values, connection, services)),
    );
    if (values.json) await writeJson(stdout, previewDocument(found));
    else await writeMessage(context, previewText(found, lineWidth(stdout, env)));
    return 0;
  } finally {
    display.stop();
  }
}

async function previewOf(
  lake: Lake | null,
  range: TimeRange | null,
  values: FlagValues,
  connection: Connection,
  services: Services,
): Promise<BackfillPreview> {
  const scope = scopeOf(values);
  const { dividedAtKnownHorizon, planExport, plannedDays } = await import('@edrlake/runner');
  const nowMs = services.clock.nowMs();
  const ranges = lake === null ? [range].filter((each) => each !== null) : await rangesOf(lake, range, values, nowMs);
  if (ranges.every(({ startMs }) => startMs >= nowMs)) return { days: [], planning: 0, durationMs: 0 };
  const asked = { axis: 'event', ranges: ranges.map((each) => ({ range: each })), scope } as const;
  const request = lake === null ? asked : await dividedAtKnownHorizon(asked, lake, nowMs);
  const plan = await planExport(connection.source, request, services);
  const planning = connection.requestsMade();
  const limit = values['max-requests'] === null ? null : values['max-requests'] - planning;
  const { pageSize } = connection.source;
  const preview = { pageSize, force: values.force, limit, maxRequests: values['max-requests'], nowMs };
  const days = await plannedDays(plan, request, lake, preview);
  const [first, last] = [ranges[0], ranges.at(-1)];
  const whole = first !== undefined && last !== undefined ? { startMs: first.startMs, endMs: last.endMs } : null;
  const question = { scope, require: 'proven', maxAgeMs: null, nowMs } as const;
  const refused = lake === null || whole === null ? [] : (await readGate(lake, { ...question, range: whole })).refused;
  const reasonOf = (startMs: number) => {
    if (values.only !== null) return values.only;
    if (lake === null) return 'missing';
    return refused.find((span) => span.startMs <= startMs && startMs < span.endMs)?.state ?? 'proven';
  };
  const retentionMs = lake === null ? null : (await readHorizon(lake)).retentionMs;
  const { requests, windowSeconds } = connection.client.limits();
  const planned = planning + sum(days, (day) => day.requests);
  return {
    days: days.map((day) => {
      const startMs = startOfDayMs(day.firstDay);
      const loss = lossOf({ startMs }, retentionMs, nowMs);
      return { ...day, reason: reasonOf(startMs), loss: loss === null ? null : lossText(loss) };
    }),
    planning,
    durationMs: (planned / requests) * windowSeconds * MS_PER_SECOND,
  };
}

/** Opens the lake for reading; null where there is none. */
async function withLakeIfThere<T>(
  values: FlagValues,
  context: ProcessContext,
  work: (lake: Lake | null) => Promise<T>,
): Promise<T> {
  try {
    return await withLakeToRead(values, context, work, values.writer);
  } catch (thrown) {
    if (!(thrown instanceof EdrlakeError) || thrown.code !== 'LAKE_MISSING') throw thrown;
    return work(null);
  }
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

/** What is wanted of a range, or of all days that the lake knows. */
async function rangesOf(
  lake: Lake,
  range: TimeRange | null,
  values: FlagValues,
  nowMs: number,
): Promise<readonly TimeRange[]> {
  const whole = range ?? (await knownDays(lake, nowMs));
  if (whole === null) return [];
  return values.only === null ? [whole] : wantedRanges(lake, values.only, whole, scopeOf(values), nowMs);
}

/** What the run may spend. */
function limitsOf(values: FlagValues, nowMs: number): Pick<ExportOptions, 'maxRequests' | 'deadlineMs'> {
  const { 'max-requests': maxRequests, deadline } = values;
  const deadlineMs = deadline === null ? null : deadlineAfter(deadline, nowMs);
  return { ...(maxRequests !== null && { maxRequests }), ...(deadlineMs !== null && { deadlineMs }) };
}

type Limits = Pick<ExportOptions, 'maxRequests' | 'deadlineMs'>;

/** A look at the horizon may cost a tenth of the requests of a run, and nothing of one without limits. */
function hasRoom({ maxRequests, deadlineMs }: Limits): boolean {
  return maxRequests === undefined ? deadlineMs !== undefined : maxRequests >= LOOK_FROM_REQUESTS;
}

const LOOK_FROM_REQUESTS = 20;

function lessThan(limits: Limits, spent: number): Limits {
  return limits.maxRequests === undefined ? limits : { ...limits, maxRequests: limits.maxRequests - spent };
}

/** null where only a part was wanted and there is none. */
async function backfill(
  range: TimeRange | null,
  values: FlagValues,
  { ends, lake, options, services, runServices }: LakeSession,
): Promise<ExportReport | null> {
  const scope = scopeOf(values);
  const nowMs = services.clock.nowMs();
  const ranges = await rangesOf(lake, range, values, nowMs);
  // Of days that have not come yet nothing is wanted.
  if (ranges.every(({ startMs }) => startMs >= nowMs)) return null;
  const { exportRange, lookAtHorizon } = await import('@edrlake/runner');
  const limits = limitsOf(values, nowMs);
  const before = ends.requestsMade();
  // What is lost first can be fetched first only where it is known how far back the API answers.
  if (hasRoom(limits)) await lookAtHorizon(ends, runServices());
  const spent = ends.requestsMade() - before;
  const request = { axis: 'event', ranges: ranges.map((range) => ({ range })), scope } as const;
  return exportRange(ends, request, { ...options, ...lessThan(limits, spent) }, runServices());
}
