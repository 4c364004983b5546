import {
  bothClocks,
  EdrlakeError,
  MS_PER_DAY,
  MS_PER_HOUR,
  refuseFuture,
  toEdrlakeError,
  worstOutcome,
} from '@edrlake/core';
import type { CommandInput } from '../command.ts';
import type { FlagValues } from '../flags.ts';
import { scopeOf } from '../gateway.ts';
import { writeJson } from '../json-output.ts';
import { EXPORT_EXIT_CODES, type LakeSession, withLakeSession } from '../lake-session.ts';
import { startDisplay } from '../progress-display.ts';
import { writeRejects } from '../rejects-text.ts';
import { lineWidth, type Surroundings, writeText } from '../surroundings.ts';
import { changedDays, exportsOf, type SyncView, syncDocument, syncText } from '../sync-text.ts';

/** Late by processing time are events that became visible after others; by event time, all that arrive late. */
const LOOK_BACK_MS = { processed: 6 * MS_PER_HOUR, event: 5 * MS_PER_DAY } as const;

/** Brings in what is new since the last sync. */
export async function run(input: CommandInput, surroundings: Surroundings): Promise<number> {
  const { values } = input;
  // Before anything is opened: a lake must not come to be for a slip of the finger.
  if (values.since !== null) refuseFuture('--since', values.since, bothClocks(surroundings.clock.nowMs(), null));
  const display = startDisplay(values, surroundings);
  return withLakeSession(
    values,
    surroundings,
    { display, priority: 'high' },
    (session) => sync(values, session),
    (view) => show(view, values, surroundings),
  );
}

async function show(view: SyncView, values: FlagValues, surroundings: Surroundings): Promise<number> {
  const { stdout, env } = surroundings;
  if (values.json) await writeJson(stdout, syncDocument(view));
  else await writeText(stdout, syncText(view, lineWidth(stdout, env)));
  await writeRejects(exportsOf(view.report), surroundings);
  const lost = view.report.lostFiles.length > 0 ? (['mismatch'] as const) : [];
  return EXPORT_EXIT_CODES[worstOutcome([...lost, ...exportsOf(view.report).map(({ outcome }) => outcome)])];
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
  const filesAfter = (await lake.snapshot()).files.events ?? [];
  const requests = connection.requestsMade() - requestsBefore;
  return { report, axis, requests, days: changedDays(filesBefore, filesAfter) };
}

/** A platform that does not know processing times refuses the filter. */
function explained(thrown: unknown, values: FlagValues): EdrlakeError {
  const error = toEdrlakeError(thrown);
  if (error.code !== 'FILTER_REJECTED' && error.code !== 'SORT_REJECTED') return error;
  const token = values['processed-time-token'];
  return new EdrlakeError('FILTER_REJECTED', `the platform refuses to search by processing time (${token})`, {
    cause: error,
    context: error.context,
    hint: `${values.filter === null ? '' : 'Check --filter. '}edrlake doctor finds the name of the token, if the platform has one. If not, follow event time: edrlake sync --axis event --look-back 5d`,
  });
}
