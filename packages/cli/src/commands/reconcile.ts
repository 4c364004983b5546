import { bothClocks, EdrlakeError, newRunId, refuseFuture } from '@edrlake/core';
import { knownDays } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, LAKE, OUTPUT, PLATFORM, PROGRESS } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { refuseScope } from '../args/refuse-scope.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { type ReconcileView, reconcileDocument, reconcileText } from '../render/reconcile-text.ts';
import { type RecountView, recountDocument, recountText } from '../render/recount-text.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { requireLake } from '../session/lake-access.ts';
import { type LakeSession, withLakeSession } from '../session/lake-session.ts';
import { observed } from '../session/telemetry.ts';
import { writeJson } from '../text/json-output.ts';

/** The exit codes: due days are left; what the API has is not what the lake has; it is, but too much was rejected. */
const EXIT_CODES = { match: 0, partly: 3, mismatch: 4, rejected: 6 } as const;

/** `edrlake reconcile` */
export const command = defineCommand({
  command: 'reconcile',
  describe: 'Compare each day between the API and the lake, and repair it',
  details: [
    'Compares what the API counts now with the rows and ids in the data files, by default for all days the lake knows up to yesterday. One request compares many days. With --repair only the ranges that differ are fetched.',
    'With --sealed only proven days are counted, those that were proven 1, 3, 7, 30 and 90 days ago and not counted since, which a nightly run does by itself. Two requests count all of them, and one more each day that differs. No single answer of the API changes anything; a day of which the API has more is not complete any more.',
    'Exit code 4 when something differs, after a repair when something still does; 3 when --sealed could not count all days that are due.',
  ],
  flags: [
    'from',
    'to',
    'by',
    'repair',
    'sealed',
    'max-requests',
    'max-reject-share',
    ...GATEWAY,
    ...PLATFORM,
    ...LAKE,
    'publish',
    ...OUTPUT,
    ...PROGRESS,
    'telemetry',
  ],
  flagTexts: {
    from: { describe: 'First UTC day to compare', defaultText: 'the first in the lake' },
    to: { describe: 'Last UTC day to compare', defaultText: 'the last, at most yesterday' },
    'max-requests': { describe: 'Requests that --sealed may send', defaultText: '20' },
  },
  examples: [
    { command: 'edrlake reconcile', purpose: 'all days' },
    { command: 'edrlake reconcile --from 2026-11-14 --to 2026-11-20 --repair', purpose: 'a week, and repair it' },
    { command: 'edrlake reconcile --sealed --repair', purpose: 'what came after the days were proven' },
  ],
  run: observed('reconcile', run),
});

/** Compares days between the API and the lake, and repairs those that differ where that is asked for. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  if (values.repair && values.by === 'type') {
    throw new EdrlakeError('USAGE', '--repair and --by type exclude each other', {
      hint: 'Look with --by type, then repair without it.',
    });
  }
  if (values.sealed && values.by === 'type') {
    throw new EdrlakeError('USAGE', '--sealed and --by type exclude each other', {
      hint: 'Count the days with --sealed, then look at one that differs with --by type.',
    });
  }
  if (values['max-requests'] !== null && !values.sealed) {
    throw new EdrlakeError('USAGE', '--max-requests goes with --sealed here', {
      hint: 'Comparing takes a request or two; add --sealed, or leave out --max-requests.',
    });
  }
  refuseScope(values, 'reconcile', 'it compares, and repairs, whole days');
  const given = optionalRange(values);
  if (given !== null) refuseFuture('--from', given.startMs, bothClocks(context.clock.nowMs(), null));
  await requireLake(values, context);
  const display = startDisplay({ ...values, 'no-progress': values['no-progress'] || !values.repair }, context);
  const about = { command: 'reconcile', display, priority: 'high', writer: 'duckdb' } as const;
  if (values.sealed) {
    return withLakeSession(
      values,
      context,
      about,
      (session) => recount(values, session),
      (view) => showRecount(view, values, context),
    );
  }
  return withLakeSession(
    values,
    context,
    about,
    (session) => compare(values, session, context),
    (view) => show(view, values, context),
  );
}

async function show(view: ReconcileView, values: FlagValues, context: ProcessContext): Promise<number> {
  const { stdout, env } = context;
  if (values.json) await writeJson(stdout, reconcileDocument(view));
  else await writeMessage(context, reconcileText(view, lineWidth(stdout, env)));
  return EXIT_CODES[reconcileDocument(view).outcome];
}

async function recount(values: FlagValues, session: LakeSession): Promise<RecountView> {
  const { ends, options, connection } = session;
  const { RECOUNT_REQUESTS, recountSealedDays, repairRecounted } = await import('@edrlake/runner');
  const requestsBefore = connection.requestsMade();
  const request = { within: optionalRange(values), maxRequests: values['max-requests'] ?? RECOUNT_REQUESTS };
  const report = await recountSealedDays(ends, request, session.runServices());
  const days = report.late.map(({ day }) => day);
  const isRepaired = values.repair && days.length > 0;
  const repaired = isRepaired ? await repairRecounted(ends, days, options, () => session.runServices()) : null;
  return { report, repaired, requests: connection.requestsMade() - requestsBefore };
}

async function showRecount(view: RecountView, values: FlagValues, context: ProcessContext): Promise<number> {
  const { stdout, env } = context;
  const document = recountDocument(view);
  if (values.json) await writeJson(stdout, document);
  else await writeMessage(context, recountText(view, lineWidth(stdout, env)));
  return EXIT_CODES[document.outcome];
}

async function compare(values: FlagValues, session: LakeSession, context: ProcessContext): Promise<ReconcileView> {
  const { lake, ends, options, services, connection } = session;
  const { clock } = context;
  const { by } = values;
  const { reconcileAndRemember, refuteLate, repair, settleRecounted } = await import('@edrlake/runner');
  const requestsBefore = connection.requestsMade();
  const range = optionalRange(values) ?? (await knownDays(lake, clock.nowMs()));
  const ranges = range === null ? [] : [range];
  const look = () => reconcileAndRemember(ends, { ranges, by }, services, newRunId(context));
  let days = await look();
  const repaired = values.repair ? await repair(ends, days, options, session.runServices()) : null;
  if (repaired !== null && (repaired.exported !== null || repaired.forgottenFiles.length + repaired.removedRows > 0))
    days = await look();
  // What an earlier recount has refuted is complete again only by another one.
  const matching = days.filter(({ verdict }) => verdict === 'match').map(({ day }) => day);
  if (by === 'day') {
    await settleRecounted(ends, matching, () => session.runServices());
    await refuteLate(ends, days, () => session.runServices());
  }
  return { days, by, repair: repaired, requests: connection.requestsMade() - requestsBefore };
}
