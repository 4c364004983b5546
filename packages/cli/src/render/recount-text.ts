import { countText, dayOf, isoInstant, MS_PER_DAY, nounText, startOfDayMs } from '@edrlake/core';
import type { RecountedRepair, RecountReport } from '@edrlake/runner';
import { tableText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';
import { repairDocument, repairLines } from './reconcile-text.ts';

/** A recount as it is shown. */
export interface RecountView {
  readonly report: RecountReport;
  /** null where none was asked for, or no day differs. */
  readonly repaired: RecountedRepair | null;
  readonly requests: number;
}

/** Days shown one by one. */
const SHOWN_DAYS = 40;

/** `partly`: nothing is known to differ, but some due days were not counted, or got answers that prove nothing. */
function outcomeOf(view: RecountView): 'match' | 'mismatch' | 'partly' {
  if (openDays(view).length > 0) return 'mismatch';
  return view.report.left + view.report.unconfirmed.length > 0 ? 'partly' : 'match';
}

/** Days of a recount that do not agree with the API, after the repair where there was one. */
function openDays({ report, repaired }: RecountView): readonly string[] {
  return repaired === null ? report.late.map(({ day }) => day) : repaired.open;
}

/** The recount for a person: a line for each day that differs, the sum, what to type next. */
export function recountText(view: RecountView, width: number): string {
  const { report, repaired, requests } = view;
  const { sealed, due, counted, late, settled, unconfirmed, left, nextDueAtMs } = report;
  const parts: string[] = [];
  if (late.length > 0) {
    const right = { align: 'right' as const };
    const columns = [
      { title: 'day' },
      { title: 'API now', ...right },
      { title: 'in the lake', ...right },
      { title: '' },
    ];
    const rows = late
      .slice(0, SHOWN_DAYS)
      .map(({ day, inApi, inLake }) => [
        day,
        countText(inApi),
        countText(inLake),
        `late +${countText(inApi - inLake)}`,
      ]);
    parts.push(tableText(columns, rows, width), '');
    if (late.length > SHOWN_DAYS) parts.push(`… ${countText(late.length - SHOWN_DAYS)} more, --json lists all`, '');
  }
  if (repaired !== null) parts.push(...repairLines(repaired.repair));
  const say = (sentence: string) => parts.push(...wrapWords(sentence, width));
  if (due === 0) say(sealed === 0 ? 'There is no proven day.' : `${nounText(sealed, 'proven day')}, none is due.`);
  else {
    const agree = counted - late.length;
    say(
      `${countText(counted)} of ${nounText(due, 'due day')} counted again, ${countText(agree)} agree. ` +
        `${nounText(requests, 'request')}.`,
    );
  }
  if (settled.length > 0) say(`Complete again: ${daysText(settled)}.`);
  if (repaired !== null && repaired.settled.length > 0) say(`Complete again: ${daysText(repaired.settled)}.`);
  if (unconfirmed.length > 0) {
    const why = 'The answers of the API contradict each other, or another command committed meanwhile';
    say(`${why}, so nothing changed: ${daysText(unconfirmed)}. They stay due.`);
  }
  if (left > 0) {
    say(
      `${nounText(left, 'day')} left: a run counts at most 1,000 days, with --max-requests. Run it again, or allow more.`,
    );
  }
  if (nextDueAtMs !== null && left + unconfirmed.length === 0)
    say(`Next due: ${isoInstant(nextDueAtMs).slice(0, 16)}Z.`);
  const open = openDays(view);
  if (open.length > 0) {
    const range = `--from ${open[0]} --to ${open.at(-1)}`;
    parts.push('');
    if (repaired === null) parts.push(`Next: edrlake reconcile --sealed --repair`);
    else parts.push('Events may still be arriving there.', `Next: edrlake backfill ${range} --force`);
  }
  return `${parts.join('\n')}\n`;
}

/** Days as text, neighbours as one: `2026-11-14, 2026-11-16 to 2026-11-18`. */
function daysText(days: readonly string[]): string {
  const runs: [string, string][] = [];
  for (const day of [...days].sort()) {
    const last = runs.at(-1);
    if (last !== undefined && dayOf(startOfDayMs(last[1]) + MS_PER_DAY) === day) last[1] = day;
    else runs.push([day, day]);
  }
  const shown = runs.slice(0, SHOWN_DAYS).map(([first, last]) => (first === last ? first : `${first} to ${last}`));
  return `${shown.join(', ')}${runs.length > SHOWN_DAYS ? ', …' : ''}`;
}

/** The recount as plain data with instants as text. */
export function recountDocument(view: RecountView) {
  const { report, repaired, requests } = view;
  const { nextDueAtMs, ...counts } = report;
  return {
    outcome: outcomeOf(view),
    ...counts,
    requests,
    nextDueAt: nextDueAtMs === null ? null : isoInstant(nextDueAtMs),
    repaired: repaired === null ? null : { ...repaired, repair: repairDocument(repaired.repair) },
  };
}
