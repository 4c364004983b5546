import { type Day, dayOf, isoInstant, MS_PER_DAY, NO_FILTER, type QueryScope, sum } from '@edrlake/core';
import { type Lake, scopeText } from '@edrlake/lake';
import {
  type DaySpan,
  dayCommand,
  type LakeStatus,
  lossOf,
  lossText,
  lostDays,
  quietLine,
  type RunSummary,
  readWatermark,
} from '@edrlake/runner/history';
import type { Attention, CoverageDocument, RunLine } from '../documents/documents.ts';
import { isoOrNull } from './instants.ts';
import { type PageContext, pageStatus } from './page-context.ts';

/** Stretches of days to look at that are listed; the calendar shows all. */
const LISTED = 200;

/** What the lake holds, the state of every day, and what to do about those that are not complete. */
export async function coverageDocument(context: PageContext): Promise<CoverageDocument> {
  const { lake, clock } = context;
  const nowMs = clock.nowMs();
  const status = await pageStatus(context, nowMs);
  const { calendar, tables, budget, lastRun, publications } = status;
  const worth = calendar.spans.filter(({ state }) => state !== 'complete' && state !== 'open');
  const shown = worth.slice(-LISTED).reverse();
  const about = await daysContext(lake, calendar.scope, status);
  return {
    now: isoInstant(nowMs),
    lake: status.directory,
    dataset: lake.dataset.name,
    version: status.version,
    committedAt: isoOrNull(status.committedAtMs),
    tables,
    bytes: sum(tables, ({ bytes }) => bytes),
    files: sum(tables, ({ files }) => files),
    newestEventAt: isoOrNull(status.newestEventAtMs),
    watermark: isoOrNull(status.watermarkMs),
    provenUntil: isoOrNull(status.freshUntilMs),
    budget,
    publications,
    hunts: huntsOf(status),
    quiet: quietOf(status),
    lastRun: lastRun === null ? null : runSummary(lastRun),
    scope: calendar.scope,
    counts: calendar.counts,
    spans: calendar.spans.map(({ startMs, endMs, state }) => [dayOf(startMs), (endMs - startMs) / MS_PER_DAY, state]),
    attention: shown.map((span) => attentionOf(span, about, context, status)),
    attentionLeft: worth.length - shown.length,
    lostFiles: status.lostFiles.length,
    lakeFlags: context.lakeFlags,
  };
}

function quietOf({ quiet }: LakeStatus): CoverageDocument['quiet'] {
  return quiet === null ? null : { learnedDays: quiet.learnedDays, findings: quiet.findings.map(quietLine) };
}

function huntsOf({ standingHunts }: LakeStatus): CoverageDocument['hunts'] {
  if (standingHunts === null) return null;
  const { version, pending, isOfLostHistory } = standingHunts;
  const lists = standingHunts.lists.map(({ foundAtMs, ...list }) => ({ ...list, foundAt: isoOrNull(foundAtMs) }));
  return { version, pending, isOfLostHistory, lists };
}

/** What decides which command puts a day right. */
export interface DaysContext {
  readonly scope: QueryScope;
  readonly followedFromMs: number | null;
  /** Days of which files are gone or cut. */
  readonly lost: ReadonlySet<Day>;
}

/** The scope of a calendar, and what already follows its days. */
export async function daysContext(
  lake: Lake,
  scope: string,
  { lostFiles }: Pick<LakeStatus, 'lostFiles'>,
): Promise<DaysContext> {
  return {
    scope: await scopeNamed(lake, scope),
    followedFromMs: await readWatermark(lake, 'processed', NO_FILTER),
    lost: lostDays(lostFiles),
  };
}

async function scopeNamed(lake: Lake, text: string): Promise<QueryScope> {
  if (text === 'all') return NO_FILTER;
  const { proofs } = await lake.snapshot();
  return proofs.find(({ window }) => scopeText(window.scope) === text)?.window.scope ?? NO_FILTER;
}

function attentionOf(
  span: DaySpan,
  about: DaysContext,
  { lakeFlags, asPasted, clock }: PageContext,
  { horizon }: Pick<LakeStatus, 'horizon'>,
): Attention {
  const loss = lossOf(span, horizon.retentionMs, clock.nowMs());
  const filesGone = [...about.lost].filter((day) => {
    const ms = Date.parse(day);
    return ms >= span.startMs && ms < span.endMs;
  });
  return {
    from: dayOf(span.startMs),
    to: dayOf(span.endMs - 1),
    days: (span.endMs - span.startMs) / MS_PER_DAY,
    state: span.state,
    filesGone: filesGone.length,
    loss: loss === null ? null : lossText(loss),
    command: asPasted(dayCommand(span, about, lakeFlags)),
  };
}

/** A run in a list, with instants as text. */
export function runSummary({ startedAtMs, endedAtMs, ...run }: RunSummary): RunLine {
  return { ...run, startedAt: isoInstant(startedAtMs), endedAt: isoOrNull(endedAtMs) };
}
