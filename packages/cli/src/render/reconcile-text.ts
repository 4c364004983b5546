import { countText, instantText, nounText } from '@edrlake/core';
import type { DayVerdict, ReconciledDay, RepairReport } from '@edrlake/runner';
import { tableText } from '../text/table-text.ts';
import { rejectedLines } from './rejects-text.ts';
import { reportDocument } from './report-text.ts';

/** A comparison as it is shown. */
export interface ReconcileView {
  /** After the repair, where there was one. */
  readonly days: readonly ReconciledDay[];
  readonly by: 'day' | 'type';
  readonly repair: RepairReport | null;
  readonly requests: number;
}

/** Days shown one by one before only those that differ are. */
const SHOWN_DAYS = 40;

/** The comparison for a person: a line a day, the sum, what to type next. */
export function reconcileText(view: ReconcileView, width: number): string {
  const { days, by, requests } = view;
  if (days.length === 0) return 'There is no day to compare.\n';
  const differing = days.filter(({ verdict }) => verdict !== 'match');
  const shown = days.length <= SHOWN_DAYS ? days : differing.slice(0, SHOWN_DAYS);
  const parts: string[] = [...repairLines(view.repair)];
  if (shown.length > 0) parts.push(linesText(shown, by, width), '');
  const hidden = differing.length - shown.length;
  if (days.length > SHOWN_DAYS && hidden > 0)
    parts.push(`… ${countText(hidden)} more that differ, --json lists all`, '');
  parts.push(`${sumText(days, by)} ${nounText(requests, 'request')}.`);
  const short = [...new Set(days.flatMap(({ day, lossOfDay }) => (lossOfDay ? [day] : [])))];
  if (short.length > 0) parts.push('', lossText(short));
  const lost = new Set(differing.flatMap(({ lostFiles }) => lostFiles));
  if (lost.size > 0) parts.push('', `${nounText(lost.size, 'data file')} gone or broken, such as ${[...lost][0]}`);
  if (differing.length > 0) parts.push('', ...nextLines(differing, view.repair !== null));
  return `${parts.join('\n')}\n`;
}

/** Days that have lost events, beside a table of types: it is not known which types these are of. */
function lossText(days: readonly string[]): string {
  const more = days.length > 1 ? ` and ${nounText(days.length - 1, 'more day')}` : '';
  return `Lost events of types that are not known: ${days[0]}${more}. No type of such a day matches.`;
}

function linesText(days: readonly ReconciledDay[], by: ReconcileView['by'], width: number): string {
  const right = { align: 'right' as const };
  const columns = [
    { title: 'day' },
    ...(by === 'type' ? [{ title: 'type' }] : []),
    { title: 'API now', ...right },
    ...(by === 'type' ? [] : [{ title: 'when fetched', ...right }]),
    { title: 'in the lake', ...right },
    { title: 'distinct', ...right },
    { title: 'verdict' },
  ];
  const rows = days.map((line) => [
    line.day,
    ...(by === 'type' ? [line.eventType ?? ''] : []),
    countText(line.inApi),
    ...(by === 'type' ? [] : [line.whenFetched === null ? '' : countText(line.whenFetched)]),
    countText(line.inLake),
    countText(line.distinctIds),
    verdictText(line),
  ]);
  return tableText(columns, rows, width);
}

/**
 * `late +12`, `missing -3`, `match`, `match, 5 kept`, `match, 2 listed twice`: kept are events that the API no longer
 * returns, listed twice are records whose event is stored once.
 */
export function verdictText({ verdict, difference, countedTwice }: ReconciledDay): string {
  const amount = countText(Math.abs(difference));
  if (verdict === 'late') return `late +${amount}`;
  if (verdict === 'missing') return difference === 0 ? 'missing' : `missing -${amount}`;
  if (verdict !== 'match') return verdict;
  const kept = difference > 0 ? [`${amount} kept`] : [];
  const twice = countedTwice > 0 ? [`${countText(countedTwice)} listed twice`] : [];
  return ['match', ...kept, ...twice].join(', ');
}

function sumText(days: readonly ReconciledDay[], by: ReconcileView['by']): string {
  const count = (verdict: DayVerdict) => days.filter((day) => day.verdict === verdict).length;
  const words = (['rejected', 'late', 'missing', 'duplicate', 'unverified'] as const)
    .filter((verdict) => count(verdict) > 0)
    .map((verdict) => `${countText(count(verdict))} ${verdict}`);
  const all = nounText(days.length, by === 'type' ? 'line' : 'day');
  if (words.length === 0) return days.length === 1 ? 'It matches.' : `All ${all} match.`;
  return `${countText(count('match'))} of ${all} match: ${words.join(', ')}.`;
}

/** What a repair did, in lines; none where none was asked for. */
export function repairLines(repair: RepairReport | null): string[] {
  if (repair === null) return [];
  const { ranges, forgottenFiles, removedRows, exported } = repair;
  if (exported === null && forgottenFiles.length + removedRows === 0) return ['There was nothing to repair.', ''];
  const brought = exported === null ? 0 : exported.events.new + exported.events.changed;
  const lines = [`Repaired: ${nounText(ranges.length, 'range')} fetched, ${nounText(brought, 'event')} brought in.`];
  if (forgottenFiles.length > 0) lines.push(`${nounText(forgottenFiles.length, 'lost file')} forgotten.`);
  if (removedRows > 0) lines.push(`${nounText(removedRows, 'row')} of events that were stored twice removed.`);
  return [...lines, ''];
}

function nextLines(differing: readonly ReconciledDay[], isRepaired: boolean): string[] {
  const days = differing.map(({ day }) => day);
  const range = `--from ${days[0]} --to ${days.at(-1)}`;
  if (differing.every(({ verdict }) => verdict === 'duplicate')) {
    return [
      'Events are stored more than once, which no run of edrlake does: files were damaged or changed.',
      `Next: edrlake deduplicate ${range}`,
    ];
  }
  if (differing.every(({ verdict }) => verdict === 'rejected')) {
    return ['All of it is there, but too many records could not become rows:', ...rejectedLines(range)];
  }
  if (!isRepaired) return [`Next: edrlake reconcile ${range} --repair`];
  return ['Events may still be arriving there.', `Next: edrlake backfill ${range} --force`];
}

function outcomeOf(days: readonly ReconciledDay[]): 'match' | 'mismatch' | 'rejected' {
  const verdicts = new Set(days.map(({ verdict }) => verdict));
  verdicts.delete('match');
  if (verdicts.size === 0) return 'match';
  return verdicts.size === 1 && verdicts.has('rejected') ? 'rejected' : 'mismatch';
}

/** The comparison as plain data with instants as text. */
export function reconcileDocument({ days, by, repair, requests }: ReconcileView) {
  return {
    outcome: outcomeOf(days),
    by,
    requestsMade: requests,
    days,
    repair: repair === null ? null : repairDocument(repair),
  };
}

/** A repair as plain data with instants as text. */
export function repairDocument({ ranges, forgottenFiles, removedRows, exported }: RepairReport) {
  return {
    stretches: ranges.map(({ startMs, endMs }) => ({ from: instantText(startMs), to: instantText(endMs) })),
    forgottenFiles,
    removedRows,
    exported: exported === null ? null : reportDocument(exported),
  };
}
