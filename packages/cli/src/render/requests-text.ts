import { countText, durationText, instantText, isoInstant, MS_PER_SECOND, nounText, sum } from '@edrlake/core';
import {
  isRefusedForLimit,
  type LoggedRequests,
  type RemainingRequests,
  type RequestHistory,
} from '@edrlake/runner/history';
import { pairsText, tableText } from '../text/table-text.ts';

/** What `edrlake requests` found. */
export interface RequestsView {
  readonly sinceMs: number;
  readonly nowMs: number;
  readonly history: RequestHistory;
  /** null before the first request. */
  readonly left: RemainingRequests | null;
}

const RIGHT = { align: 'right' as const };

/** One line for each hour and command, then the totals and what is left of the limit. */
export function requestsText({ sinceMs, history, left, nowMs }: RequestsView, width: number): string {
  const { requests, hours, unreadableLines } = history;
  const lines: string[] = [];
  if (requests.length > 0) {
    const columns = ['hour (UTC)', 'command', 'events', 'counts', 'other', 'refused', 'failed', 'others'];
    const titles = columns.map((title, index) => ({ title, ...(index >= 2 && RIGHT) }));
    const groups = new Map<string, LoggedRequests[]>();
    for (const each of requests) {
      const key = `${each.hourMs} ${each.command}`;
      groups.set(key, [...(groups.get(key) ?? []), each]);
    }
    let lastHourMs: number | null = null;
    const rows = [...groups.values()].map((group) => {
      const { hourMs, command } = group[0] as LoggedRequests;
      const isFirst = hourMs !== lastHourMs;
      lastHourMs = hourMs;
      const others = isFirst ? (hours.find((hour) => hour.hourMs === hourMs)?.others ?? null) : null;
      return [
        isFirst ? isoInstant(hourMs).slice(0, 16).replace('T', ' ') : '',
        command,
        countText(totalOf(group, ({ endpoint }) => endpoint === 'events')),
        countText(totalOf(group, ({ endpoint }) => endpoint === 'count')),
        countText(totalOf(group, ({ endpoint }) => endpoint === 'auth' || endpoint === 'detail')),
        countText(totalOf(group, isRefusedForLimit)),
        countText(totalOf(group, hasFailed)),
        others === null ? '' : countText(others),
      ];
    });
    lines.push(tableText(titles, rows, width), '');
  }
  lines.push(pairsText([['Sent', sentText(requests, sinceMs)], ...moreOf(history), ...leftOf(left, nowMs)], '', width));
  if (unreadableLines > 0)
    lines.push('', `Not counted: ${nounText(unreadableLines, 'line')} of the log that cannot be read.`);
  return `${lines.join('\n')}\n`;
}

/** For `--json`. Instants are ISO 8601 in UTC. */
export function requestsDocument({ sinceMs, nowMs, history, left }: RequestsView): Record<string, unknown> {
  const { requests, hours, unreadableLines } = history;
  return {
    since: isoInstant(sinceMs),
    until: isoInstant(nowMs),
    requests: requests.map(({ hourMs, ...rest }) => ({ hour: isoInstant(hourMs), ...rest })),
    hours: hours.map(({ hourMs, ...rest }) => ({ hour: isoInstant(hourMs), ...rest })),
    total: totalOf(requests),
    refused: totalOf(requests, isRefusedForLimit),
    failed: totalOf(requests, hasFailed),
    mostByOthers: mostByOthers(history),
    limit: left === null ? null : { ...left.limit, left: left.requestsLeft, own: left.own, others: left.foreign },
    nextAt: left === null || !Number.isFinite(left.nextAtMs) ? null : isoInstant(left.nextAtMs),
    allFreeAt: left === null ? null : isoInstant(left.allFreeAtMs),
    unreadableLines,
  };
}

function sentText(requests: readonly LoggedRequests[], sinceMs: number): string {
  const since = `since ${instantText(sinceMs)}`;
  if (requests.length === 0) return `no request ${since}`;
  const refused = totalOf(requests, isRefusedForLimit);
  return `${nounText(totalOf(requests), 'request')} ${since}, ${countText(refused)} refused for the limit`;
}

function moreOf(history: RequestHistory): [string, string][] {
  const repeated = sum(history.hours, (hour) => hour.repeated);
  const most = mostByOthers(history);
  return [
    ...(repeated > 0
      ? [['Sent again', `${countText(repeated)} of them, after a failure or a 204`] as [string, string]]
      : []),
    ...(most !== null && most > 0
      ? [['Others', `up to ${nounText(most, 'request')} in a window, by the same subscription`] as [string, string]]
      : []),
  ];
}

function leftOf(left: RemainingRequests | null, nowMs: number): [string, string][] {
  if (left === null) return [['Left', 'unknown: no command has asked the API for this lake']];
  const { requestsLeft, limit, nextAtMs, allFreeAtMs } = left;
  const window = durationText(limit.windowSeconds * MS_PER_SECOND);
  const next = Number.isFinite(nextAtMs) ? atSecond(nextAtMs) : 'when an answer has come';
  return [
    ['Left', `${countText(requestsLeft)} of ${countText(limit.requests)} in ${window}`],
    ...(nextAtMs > nowMs ? [['Next', next] as [string, string]] : []),
    ...(allFreeAtMs > nowMs ? [['All free', atSecond(allFreeAtMs)] as [string, string]] : []),
  ];
}

/** The next whole second: nothing is free before it. */
function atSecond(ms: number): string {
  return instantText(Math.ceil(ms / MS_PER_SECOND) * MS_PER_SECOND);
}

function mostByOthers({ hours }: RequestHistory): number | null {
  const known = hours.flatMap(({ others }) => others ?? []);
  return known.length === 0 ? null : Math.max(...known);
}

function hasFailed(each: LoggedRequests): boolean {
  return each.status === null || (each.status >= 400 && !isRefusedForLimit(each));
}

function totalOf(requests: readonly LoggedRequests[], isMeant: (each: LoggedRequests) => boolean = () => true): number {
  return sum(requests, (each) => (isMeant(each) ? each.requests : 0));
}
