import { countText, isoInstant, nounText } from '@edrlake/core';
import type { StandingListReport, StandingReport } from '@edrlake/lake';
import type { ListFault } from '@edrlake/lake/indicators';
import { tableText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';
import { minuteText } from './hunt-text.ts';

/** New matches; something in a list that is no indicator; files of which it is not known what they hold. */
const [FOUND, BAD_LIST, NOT_LOOKED_AT] = [5, 2, 4];

/** The first of these that is so. */
export function standingExitCode({ fresh, faults, pending }: StandingReport, isLenient: boolean): number {
  if (fresh.count > 0) return FOUND;
  if (faults.length > 0 && !isLenient) return BAD_LIST;
  return pending > 0 ? NOT_LOOKED_AT : 0;
}

/** The lists, the matches that are new, and what they rest on. */
export function standingText(
  report: StandingReport,
  { width, lakeFlags }: { readonly width: number | null; readonly lakeFlags: string },
): string {
  const { lists, fresh, version, pending, matches } = report;
  if (version === null || lists.length === 0) return 'No list is hunted: the folder has none.\n';
  const blocks = [listTable(lists, width)];
  if (fresh.count > 0) blocks.push(freshTable(report, width));
  const lines = [
    `${nounText(matches, 'match', 'matches')} in version ${version}, ${fresh.count === 0 ? 'none of them new' : `${countText(fresh.count)} new`}.`,
    ...lists
      .filter(({ isAsBefore }) => isAsBefore)
      .map(({ name }) => `${name} cannot be read, so it is hunted as before.`),
    ...(pending > 0
      ? [
          `Not looked at: ${nounText(pending, 'data file')} gone or damaged. Next: edrlake reconcile --repair${lakeFlags}`,
        ]
      : []),
    ...(matches > 0 ? [`All: edrlake query "from hunt_matches"${lakeFlags}`] : []),
  ];
  blocks.push(lines.flatMap((line) => (width === null ? [line] : wrapWords(line, width))).join('\n'));
  return `${blocks.join('\n\n')}\n`;
}

function listTable(lists: readonly StandingListReport[], width: number | null): string {
  const columns = [
    { title: 'list' },
    ...['values', 'matches', 'hosts'].map((title) => ({ title, align: 'right' as const })),
    { title: 'first seen', isWhole: true },
    { title: 'last seen', isWhole: true },
  ];
  const rows = lists.map(({ name, indicators, matches, hosts, firstSeenMs, lastSeenMs }) => [
    name,
    ...[indicators, matches, hosts].map(countText),
    ...[firstSeenMs, lastSeenMs].map((ms) => (ms === null ? '' : minuteText(ms))),
  ]);
  return tableText(columns, rows, width);
}

function freshTable({ fresh }: StandingReport, width: number | null): string {
  const columns = [
    { title: 'time (UTC)', isWhole: true },
    { title: 'host' },
    { title: 'list' },
    { title: 'indicator' },
    { title: 'event' },
  ];
  const rows = fresh.matches.map(({ eventTime, host, agentId, list, indicator, eventId }) => [
    eventTime.slice(0, 19).replace('T', ' '),
    host ?? agentId ?? '',
    list,
    indicator,
    eventId,
  ]);
  const more = fresh.count > rows.length ? `${countText(rows.length)} of ` : '';
  return `${tableText(columns, rows, width)}\n(${more}${nounText(fresh.count, 'new match', 'new matches')})`;
}

/** What standing hunts have found, as plain data with instants as text. */
export function standingDocument({ lists, fresh, ...report }: StandingReport) {
  const instant = (ms: number | null) => (ms === null ? null : isoInstant(ms));
  return {
    ...report,
    lists: lists.map(({ firstSeenMs, lastSeenMs, foundAtMs, ...list }) => ({
      ...list,
      firstSeen: instant(firstSeenMs),
      lastSeen: instant(lastSeenMs),
      foundAt: instant(foundAtMs),
    })),
    newMatches: { count: fresh.count, matches: fresh.matches },
  };
}

/** Faults that are named one by one. */
const NAMED_FAULTS = 20;

/** What in the lists is no indicator, for stderr. */
export function faultsText(faults: readonly ListFault[], directory: string): string {
  const lines = faults
    .slice(0, NAMED_FAULTS)
    .map(
      ({ list, place, problem, found }) =>
        `edrlake: ${list}, ${place}: ${problem}: ${found.trim().replaceAll(/\s+/g, ' ')}`,
    );
  const more =
    faults.length > NAMED_FAULTS ? [`edrlake: and ${faults.length - NAMED_FAULTS} more in ${directory}`] : [];
  return `${[...lines, ...more].join('\n')}\n`;
}
