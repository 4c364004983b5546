import { join } from 'node:path';
import {
  type Day,
  EdrlakeError,
  gapsIn,
  intersect,
  isoInstant,
  MS_PER_DAY,
  MS_PER_HOUR,
  type QueryScope,
  sum,
  type TimeRange,
  type WindowProof,
} from '@edrlake/core';
import { type Lake, lookAtLeases, scopeText } from '@edrlake/lake';
import {
  dayCommand,
  type FailedWindow,
  failedWindows,
  type LastReconciliation,
  lastReconciliations,
  listRuns,
  lossOf,
  stateOn,
} from '@edrlake/runner/history';
import type { DayDocument, DayRun, WindowLine } from '../documents/documents.ts';
import { daysContext } from './coverage.ts';
import { explainDay } from './explain-day.ts';
import { isoOrNull } from './instants.ts';
import { type PageContext, pageStatus } from './page-context.ts';

/** Of each list; the lake may hold more for one day. */
const LISTED = 200;

/** Everything that the lake knows of one day, why it is in its state, and the command that puts it right. */
export async function dayDocument(day: Day, context: PageContext): Promise<DayDocument> {
  const { lake, clock, lakeFlags, asPasted } = context;
  const range = rangeAsked(day);
  const status = await pageStatus(context, clock.nowMs());
  const { calendar } = status;
  const about = await daysContext(lake, calendar.scope, status);
  const state = stateOn(calendar, day) ?? 'unplanned';
  const lines = status.days.filter((line) => line.day <= day && day <= line.lastDay);
  const line = lines.find(({ scope }) => scope === calendar.scope) ?? null;
  const compared = (await lastReconciliations(lake)).get(day) ?? null;
  const lost = about.lost.has(day) ? await lake.lostFiles(range) : [];
  const hours = await hoursOf(lake, range);
  const stored = sum(hours, (count) => count);
  const isDone = state === 'complete';
  const isOver = isDone || state === 'open';
  const loss = isOver ? null : lossOf(range, status.horizon.retentionMs, clock.nowMs());
  const failed = isDone ? [] : await stillFailed(lake, range, about.scope);
  return {
    day,
    state,
    why: explainDay({ state, line, compared, failed, lost, stored, loss, followedUntilMs: status.watermarkMs }),
    command: isOver ? null : asPasted(dayCommand({ ...range, state }, about, lakeFlags)),
    lines: lines.map(({ lastVerifiedAtMs, ...rest }) => ({ ...rest, lastVerifiedAt: isoOrNull(lastVerifiedAtMs) })),
    compared: compared === null ? null : comparedLine(compared),
    hours,
    ...(await windowsOf(lake, day, range)),
    files: await filesOf(lake, day, new Set(lost)),
    runs: await runsOf(context, range),
  };
}

/** Windows that runs asked for in vain, and that nothing has proven since. */
async function stillFailed(lake: Lake, range: TimeRange, scope: QueryScope): Promise<readonly FailedWindow[]> {
  const failed = await failedWindows(join(lake.directory, '_runs'), { axis: 'event', scope, range });
  if (failed.length === 0) return [];
  const proven = await lake.provenRanges('event', scope);
  return failed.filter((one) => gapsIn(one.range, proven).length > 0);
}

function comparedLine({ atMs, ...compared }: LastReconciliation) {
  return { ...compared, at: isoInstant(atMs) };
}

/** @throws {EdrlakeError} `USAGE` for a text that is no UTC day */
function rangeAsked(day: Day): TimeRange {
  const startMs = /^\d{4}-\d{2}-\d{2}$/.test(day) ? Date.parse(`${day}T00:00:00.000Z`) : Number.NaN;
  if (Number.isNaN(startMs) || isoInstant(startMs).slice(0, 10) !== day) {
    throw new EdrlakeError('USAGE', 'expected a day such as 2020-08-17', { hint: 'Open it from the calendar.' });
  }
  return { startMs, endMs: startMs + MS_PER_DAY };
}

/** What the lake holds in each hour, rejects included, as the API counts it. */
async function hoursOf(lake: Lake, { startMs }: TimeRange): Promise<readonly number[]> {
  const hours = Array.from({ length: 24 }, (_, hour) => ({
    startMs: startMs + hour * MS_PER_HOUR,
    endMs: startMs + (hour + 1) * MS_PER_HOUR,
  }));
  return lake.countStored(hours, 'event');
}

/** The windows that prove the day, each with what the lake holds of it now. */
async function windowsOf(lake: Lake, day: Day, range: TimeRange) {
  const { proofs } = await lake.snapshot();
  const touching = proofs.filter(({ window, perDay }) =>
    window.axis === 'event' ? intersect(window.range, range) !== null : (perDay[day] ?? 0) > 0,
  );
  const shown = touching.toSorted((a, b) => a.window.range.startMs - b.window.range.startMs).slice(0, LISTED);
  // The times alone do not say what a filter or a cut leaves out.
  const isWhole = ({ window }: WindowProof) => window.cuts.length === 0 && scopeText(window.scope) === 'all';
  const countable = shown.filter((proof) => proof.window.axis === 'event' && isWhole(proof));
  const stored = await lake.countStored(
    countable.map(({ window }) => window.range),
    'event',
  );
  const inLake = new Map(countable.map((proof, position) => [proof, stored[position] ?? null]));
  return {
    windows: shown.map((proof) => windowDocument(proof, day, inLake.get(proof) ?? null)),
    windowsLeft: touching.length - shown.length,
  };
}

function windowDocument(proof: WindowProof, day: Day, inLake: number | null): WindowLine {
  const { window, counted, fetched, distinct, rejected, verdict, verifiedAtMs, comparedOnly = false } = proof;
  return {
    id: window.id,
    axis: window.axis,
    from: isoInstant(window.range.startMs),
    to: isoInstant(window.range.endMs),
    cuts: window.cuts.length,
    scope: scopeText(window.scope),
    ...{ counted, fetched, distinct, rejected, inLake, comparedOnly },
    ofThisDay: (proof.perDay[day] ?? 0) + (proof.rejectedPerDay[day] ?? 0),
    verdict,
    verifiedAt: isoInstant(verifiedAtMs),
  };
}

async function filesOf(lake: Lake, day: Day, lost: ReadonlySet<string>) {
  const { files } = await lake.snapshot();
  const ofDay = Object.values(files).flatMap((ofTable) =>
    ofTable.filter(({ partition }) => partition === `event_date=${day}`),
  );
  return ofDay.slice(0, LISTED).map(({ table, path, rowCount, fileBytes }) => ({
    ...{ table, path, rows: rowCount, bytes: fileBytes },
    isLost: lost.has(path),
  }));
}

/** Runs whose windows touch the day, newest first. */
async function runsOf({ lake, clock }: PageContext, range: TimeRange) {
  const { commits } = await lake.snapshot();
  const ids = [...new Set(commits.map(({ runId }) => runId))].slice(-LISTED).reverse();
  const runs = await listRuns(join(lake.directory, '_runs'), {
    limit: LISTED,
    ...(await lookAtLeases(lake.directory, clock.nowMs())),
  });
  const found: DayRun[] = [];
  for (const runId of ids) {
    const proofs = await lake.proofsOfRun(runId);
    const windows = proofs.filter(({ window }) => window.axis === 'event' && intersect(window.range, range) !== null);
    const last = commits.findLast((commit) => commit.runId === runId);
    if (windows.length === 0 || last === undefined) continue;
    // Runs remove their journals when they did nothing, and users remove old ones.
    const isKept = runs.some((run) => run.runId === runId);
    found.push({ runId, windows: windows.length, committedAt: isoInstant(last.committedAtMs), isKept });
  }
  return found;
}
