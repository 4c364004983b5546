import { countText, dayOf, instantText, isoInstant, MS_PER_DAY, nounText, type TimeRange } from '@edrlake/core';
import type { HuntMatch, HuntReport, IndicatorFinding } from '@edrlake/lake';
import type { IndicatorKind } from '@edrlake/lake/indicators';
import { tableText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';

/** Something was found. */
const FOUND = 5;
/** As for the other commands: what is in the lake is not known to be everything. */
const NOT_PROVEN = 4;

/** 0 only where nothing was found and all of the range is proven. */
export function huntExitCode({ findings, coverage }: HuntReport): number {
  if (findings.some(({ verdict }) => verdict === 'seen')) return FOUND;
  const isAnswered = findings.every(({ verdict }) => verdict === 'not seen');
  return isAnswered && coverage.isProven ? 0 : NOT_PROVEN;
}

/** Rows shown; the other formats have all of them. */
const SHOWN_MATCHES = 25;
/** Values and ranges named in a sentence. */
const NAMED = 8;

/** How the text is laid out. */
export interface HuntTextOptions {
  /** ` --lake DIR --dataset NAME` as far as typed, for commands to paste */
  readonly lakeFlags: string;
  /** null: lines may have any length */
  readonly width: number | null;
  /** Only what the answer means, without tables. */
  readonly onlySentences?: boolean;
}

/** What was found, the first matches, and what it means where nothing was. */
export async function huntText(
  report: HuntReport,
  matches: AsyncIterable<readonly HuntMatch[]>,
  { lakeFlags, width, onlySentences = false }: HuntTextOptions,
): Promise<string> {
  const seen = report.findings.filter(({ verdict }) => verdict === 'seen');
  const blocks: string[] = [];
  if (seen.length > 0 && !onlySentences) blocks.push(seenTable(seen, width), await matchTable(report, matches, width));
  const sentences = meaningOf(report, lakeFlags);
  blocks.push(sentences.flatMap((line) => (width === null ? [line] : wrapWords(line, width))).join('\n'));
  return `${blocks.join('\n\n')}\n`;
}

function seenTable(seen: readonly IndicatorFinding[], width: number | null): string {
  const columns = [
    { title: 'indicator' },
    { title: 'kind' },
    { title: 'events', align: 'right' as const },
    { title: 'hosts', align: 'right' as const },
    { title: 'first seen', isWhole: true },
    { title: 'last seen', isWhole: true },
  ];
  const rows = seen.map(({ indicator, events, hosts, firstSeenMs, lastSeenMs }) => [
    indicator.text,
    KIND_NAMES[indicator.kind],
    countText(events),
    countText(hosts),
    minuteText(firstSeenMs ?? 0),
    minuteText(lastSeenMs ?? 0),
  ]);
  return tableText(columns, rows, width);
}

async function matchTable(
  { matches: total }: HuntReport,
  matches: AsyncIterable<readonly HuntMatch[]>,
  width: number | null,
): Promise<string> {
  const shown: HuntMatch[] = [];
  for await (const some of matches) {
    shown.push(...some.slice(0, SHOWN_MATCHES - shown.length));
    if (shown.length >= SHOWN_MATCHES) break;
  }
  const columns = [
    { title: 'time (UTC)', isWhole: true },
    { title: 'host' },
    { title: 'event' },
    { title: 'column' },
    { title: 'value' },
  ];
  const rows = shown.map(({ eventMs, host, agentId, eventId, table, column, value }) => [
    isoInstant(eventMs).slice(0, 19).replace('T', ' '),
    host ?? agentId ?? '',
    eventId,
    table === 'events' ? column : `${table}.${column}`,
    value,
  ]);
  const sum =
    total > shown.length
      ? `${countText(shown.length)} of ${nounText(total, 'match', 'matches')}; --format csv has all`
      : nounText(total, 'match', 'matches');
  return `${tableText(columns, rows, width)}\n(${sum})`;
}

/** `2020-08-17 04:05` */
export function minuteText(epochMs: number): string {
  return isoInstant(epochMs).slice(0, 16).replace('T', ' ');
}

const KIND_NAMES: Readonly<Record<IndicatorKind, string>> = {
  md5: 'MD5',
  sha1: 'SHA-1',
  sha256: 'SHA-256',
  certificate: 'certificate',
  ip: 'address',
  network: 'network',
  domain: 'domain',
  url: 'URL',
  host: 'host',
  agent: 'agent',
  event: 'event',
  file: 'file name',
  path: 'path',
};

function meaningOf(report: HuntReport, lakeFlags: string): string[] {
  const { findings, coverage, matches } = report;
  const of = (verdict: IndicatorFinding['verdict']) => findings.filter((finding) => finding.verdict === verdict);
  const [seen, unseen, unknown, unsearchable] = [of('seen'), of('not seen'), of('unknown'), of('not searchable')];
  const lines: string[] = [];
  if (seen.length > 0) {
    lines.push(
      `Seen: ${countText(seen.length)} of ${nounText(findings.length, 'indicator')}, ${nounText(matches, 'match', 'matches')}.`,
    );
  }
  if (unseen.length > 0) lines.push(`Not seen${absenceText(report)}: ${namesOf(unseen)}.`);
  else lines.push(`Searched${absenceText(report)}.`);
  if (unknown.length > 0) {
    const sql = `"select event_time, reason, record from rejects"`;
    lines.push(
      `Unknown, because rejects may hold them (${nounText(coverage.rejects, 'record')} without a row): ${namesOf(unknown)}. See: edrlake query ${sql}${lakeFlags}`,
    );
  }
  if (unsearchable.length > 0) {
    const kinds = [...new Set(unsearchable.map(({ indicator }) => KIND_NAMES[indicator.kind]))].join(', ');
    lines.push(`Not searchable, because no column holds such values (${kinds}): ${namesOf(unsearchable)}.`);
  }
  if (coverage.lostDays.length > 0) {
    const days = firstOf([...coverage.lostDays], (day) => day);
    lines.push(`Unknown for ${days}: data files are gone or damaged. Next: edrlake reconcile --repair${lakeFlags}`);
  }
  if (coverage.isRejectLost) {
    lines.push(
      `Unknown for records that became rejects: files of them are gone or damaged. See: edrlake verify${lakeFlags}`,
    );
  }
  return lines;
}

/** ` in 412 of 412 proven days`, or ` in the 411 proven of 412 days; unproven: 2026-11-03` */
function absenceText({ coverage: { range, days, provenDays, unproven } }: HuntReport): string {
  if (range === null) return ': the lake is empty';
  const span = `${dayOf(range.startMs)} to ${dayOf(range.endMs - 1)}`;
  const [proven, all] = [countText(provenDays), countText(days)];
  if (unproven.length === 0) return ` in ${proven} of ${all} proven days (${span})`;
  return ` in the ${proven} proven of ${all} days (${span}); unproven: ${firstOf(unproven, gapText)}`;
}

/** A day, several, or a part of one; `2026-11-04 10:00–12:00`. */
function gapText({ startMs, endMs }: TimeRange): string {
  const isWhole = startMs % MS_PER_DAY === 0 && endMs % MS_PER_DAY === 0;
  const [first, last] = [dayOf(startMs), dayOf(endMs - 1)];
  if (isWhole) return first === last ? first : `${first} to ${last}`;
  if (first === last)
    return `${minuteText(startMs)}–${isoInstant(endMs - 1).slice(11, 16) === '23:59' ? '24:00' : clockText(endMs)}`;
  return `${instantText(startMs)} to ${instantText(endMs)}`;
}

function clockText(epochMs: number): string {
  return isoInstant(epochMs).slice(11, 16);
}

function namesOf(findings: readonly IndicatorFinding[]): string {
  return findings.length > NAMED
    ? nounText(findings.length, 'indicator')
    : findings.map(({ indicator }) => indicator.text).join(', ');
}

function firstOf<T>(items: readonly T[], text: (item: T) => string): string {
  const more = items.length > NAMED ? ` and ${countText(items.length - NAMED)} more (--json lists them)` : '';
  return `${items.slice(0, NAMED).map(text).join(', ')}${more}`;
}

/** What an empty answer means, as plain data. */
export function coverageDocument({ coverage }: HuntReport) {
  const { range, days, provenDays, unproven, lostDays, rejects, isRejectLost } = coverage;
  const plain = ({ startMs, endMs }: TimeRange) => ({ from: isoInstant(startMs), to: isoInstant(endMs) });
  const span = { range: range === null ? null : plain(range), days, provenDays };
  return { ...span, unproven: unproven.map(plain), lostDays, rejects, isRejectLost };
}

/** What is known about an indicator, as plain data. */
export function findingDocument({ indicator, firstSeenMs, lastSeenMs, ...rest }: IndicatorFinding) {
  const instant = (ms: number | null) => (ms === null ? null : isoInstant(ms));
  return {
    indicator: indicator.text,
    kind: indicator.kind,
    ...rest,
    firstSeen: instant(firstSeenMs),
    lastSeen: instant(lastSeenMs),
  };
}
