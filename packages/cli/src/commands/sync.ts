import {
  bothClocks,
  EdrlakeError,
  MS_PER_DAY,
  MS_PER_HOUR,
  refuseFuture,
  refusesProcessedTime,
  toEdrlakeError,
  worstOutcome,
} from '@edrlake/core';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, LAKE, OUTPUT, PLATFORM, PROGRESS } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { writeRejects } from '../render/rejects-text.ts';
import { changedDays, exportsOf, outcomesOf, type SyncView, syncDocument, syncText } from '../render/sync-text.ts';
import { scopeOf } from '../session/connection-settings.ts';
import { EXPORT_EXIT_CODES, type LakeSession, withLakeSession } from '../session/lake-session.ts';
import { observed } from '../session/telemetry.ts';
import { writeJson } from '../text/json-output.ts';

/** Late by processing time are events that became visible after others; by event time, all that arrive late. */
const LOOK_BACK_MS = { processed: 6 * MS_PER_HOUR, event: 5 * MS_PER_DAY } as const;

/** `edrlake sync` */
export const command = defineCommand({
  command: 'sync',
  describe: 'Bring in what was processed since the last sync',
  details: [
    'Follows the time at which the platform processed an event, so that events which arrive days late are found; they land on the day they happened. The first sync needs --since. On a platform that cannot be searched so, --axis event follows the time of the events and finds what is late by less than the look-back. Safe to interrupt and to repeat.',
    'Exit codes: 0 all proven, 3 some windows failed or are unverified (run again), 4 the lake and the API disagree, 6 too many records were rejected.',
    'With --writer parquetjs no native code is loaded: for machines without DuckDB, at about five times the CPU. Files then have gzip, no statistics and no bloom filters; query, compact and all else need DuckDB.',
  ],
  flags: [
    'since',
    'look-back',
    'settle-lag',
    'axis',
    'max-reject-share',
    'filter',
    'state',
    ...GATEWAY,
    ...PLATFORM,
    ...LAKE,
    'writer',
    'publish',
    ...OUTPUT,
    ...PROGRESS,
    'telemetry',
  ],
  flagTexts: {
    'look-back': {
      describe: 'How far behind the watermark to look for late events',
      defaultText: '6h, or 5d with --axis event',
    },
  },
  examples: [
    { command: 'edrlake sync --since 2026-11-01', purpose: 'the first time' },
    { command: 'edrlake sync', purpose: 'every night' },
    { command: 'edrlake sync --axis event --look-back 5d', purpose: 'by the time of the events' },
  ],
  run: observed('sync', run),
});

/** Brings in what is new since the last sync. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  // Before anything is opened: a lake must not come to be for a slip of the finger.
  if (values.since !== null) refuseFuture('--since', values.since, bothClocks(context.clock.nowMs(), null));
  const display = startDisplay(values, context);
  return withLakeSession(
    values,
    context,
    { command: 'sync', display, priority: 'high', writer: values.writer },
    (session) => sync(values, session),
    (view) => show(view, values, context),
  );
}

async function show(view: SyncView, values: FlagValues, context: ProcessContext): Promise<number> {
  const { stdout, env } = context;
  if (values.json) await writeJson(stdout, syncDocument(view));
  else await writeMessage(context, syncText(view, lineWidth(stdout, env)));
  await writeRejects(exportsOf(view.report), context);
  const lost = view.report.lostFiles.length > 0 ? (['mismatch'] as const) : [];
  return EXPORT_EXIT_CODES[worstOutcome([...lost, ...outcomesOf(view.report)])];
}

async function sync(values: FlagValues, session: LakeSession): Promise<SyncView> {
  const { axis } = values;
  const { lake, ends, connection } = session;
  const scope = scopeOf(values);
  const requestsBefore = connection.requestsMade();
  const filesBefore = (await lake.snapshot()).files.events ?? [];
  const request = {
    axis,
    scope,
    sinceMs: values.since,
    lookBackMs: values['look-back'] ?? LOOK_BACK_MS[axis],
    settleLagMs: values['settle-lag'],
  };
  const { syncNewEvents } = await import('@edrlake/runner');
  const report = await syncNewEvents(ends, request, session.options, session.runServices()).catch((thrown) => {
    throw axis === 'processed' ? explained(thrown, values) : thrown;
  });
  await learnedFrom(session);
  const filesAfter = (await lake.snapshot()).files.events ?? [];
  const requests = connection.requestsMade() - requestsBefore;
  return { report, axis, requests, days: changedDays(filesBefore, filesAfter) };
}

/** What the sync brought is part of what is expected from now on. Derived: its failure is none of the sync. */
async function learnedFrom({ lake, services, runServices }: LakeSession): Promise<void> {
  if (lake.writer === 'parquetjs') return;
  const { learnVolume } = await import('@edrlake/runner');
  const { clock, signal } = services;
  const about = { nowMs: clock.nowMs(), signal, uniqueName: runServices().newRunId };
  await learnVolume(lake, about).catch(() => signal.throwIfAborted());
}

/** A platform that does not know processing times refuses the filter. */
function explained(thrown: unknown, values: FlagValues): EdrlakeError {
  const error = toEdrlakeError(thrown);
  if (!refusesProcessedTime(error)) return error;
  const token = values['processed-time-token'];
  return new EdrlakeError('FILTER_REJECTED', `the platform refuses to search by processing time (${token})`, {
    cause: error,
    context: error.context,
    hint: `${values.filter === null ? '' : 'Check --filter. '}edrlake doctor finds the name of the token, if the platform has one. If not, follow event time: edrlake sync --axis event --look-back 5d`,
  });
}
