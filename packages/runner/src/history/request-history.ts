import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Deprecation, dayOf, MS_PER_DAY, MS_PER_HOUR, sum } from '@edrlake/core';
import { type RequestLogLine, requestLogFolder } from '../connect/request-log.ts';

/** Requests of one hour that had the same sender, endpoint and answer. */
export interface LoggedRequests {
  /** Begin of the hour. */
  readonly hourMs: number;
  /** What sent them: a command such as `sync`, `run nightly`, or `library`. */
  readonly command: string;
  readonly endpoint: 'auth' | 'events' | 'count' | 'detail';
  /** HTTP status; null where no answer came. */
  readonly status: number | null;
  readonly requests: number;
}

/** What the log says of one hour as a whole. */
export interface HourOfRequests {
  readonly hourMs: number;
  /** Requests that were sent once more, after a failure or a 204. */
  readonly repeated: number;
  /**
   * Requests of other users of the subscription in the window before the last answer of the hour, added up over the
   * accounts; null where no answer said what is left.
   */
  readonly others: number | null;
}

/** The log of requests since an instant. */
export interface RequestHistory {
  /** Oldest hour first, then by command, endpoint and status. */
  readonly requests: readonly LoggedRequests[];
  /** Oldest first; hours without a request have no entry. */
  readonly hours: readonly HourOfRequests[];
  /** Lines that cannot be read: a crash cut them off, or they are of another version. */
  readonly unreadableLines: number;
}

/** Whether the gateway refused them because the limit was used up: 429, or 409, as some gateways say it. */
export function isRefusedForLimit({ status }: Pick<LoggedRequests, 'status'>): boolean {
  return status === 429 || status === 409;
}

/** The beginning of a number of hours (UTC), of which the current one is the last. */
export function beginOfHours(hours: number, nowMs: number): number {
  return (Math.floor(nowMs / MS_PER_HOUR) + 1 - hours) * MS_PER_HOUR;
}

const ENDPOINTS: ReadonlySet<string> = new Set(['auth', 'events', 'count', 'detail']);

/**
 * The requests that were sent for a lake from one instant to another, from its log. The last few requests of a process
 * that is at work or was killed are not in it yet.
 */
export async function readRequestHistory(
  lakeDirectory: string,
  sinceMs: number,
  untilMs: number,
): Promise<RequestHistory> {
  const requests = new Map<string, LoggedRequests>();
  const hours = new Map<number, { repeated: number; others: Map<string, { atMs: number; used: number }> }>();
  let unreadableLines = 0;
  for (let dayMs = sinceMs; dayOf(dayMs) <= dayOf(untilMs); dayMs += MS_PER_DAY) {
    const path = join(requestLogFolder(lakeDirectory), `${dayOf(dayMs)}.jsonl`);
    const text = await readFile(path, 'utf8').catch(() => '');
    for (const json of text.split('\n').filter((each) => each !== '')) {
      const line = readLine(json);
      if (line === null) {
        unreadableLines++;
        continue;
      }
      const atMs = Date.parse(line.at);
      if (atMs < sinceMs || atMs > untilMs) continue;
      const hourMs = beginOfHours(1, atMs);
      const hour = hours.get(hourMs) ?? { repeated: 0, others: new Map() };
      hours.set(hourMs, hour);
      hour.repeated += line.repeated;
      if (line.others !== null && atMs >= (hour.others.get(line.account)?.atMs ?? 0)) {
        hour.others.set(line.account, { atMs, used: line.others });
      }
      for (const [answer, count] of Object.entries(line.answers)) {
        const [endpoint = '', status] = answer.split(' ');
        const key = [hourMs, line.command, answer].join(' ');
        requests.set(key, {
          ...{ hourMs, command: line.command, endpoint: endpoint as LoggedRequests['endpoint'] },
          status: status === 'none' ? null : Number(status),
          requests: (requests.get(key)?.requests ?? 0) + count,
        });
      }
    }
  }
  return {
    requests: [...requests.values()].sort(byHourThenName),
    hours: [...hours]
      .sort(([a], [b]) => a - b)
      .map(([hourMs, { repeated, others }]) => ({
        ...{ hourMs, repeated },
        others: others.size === 0 ? null : sum(others.values(), ({ used }) => used),
      })),
    unreadableLines,
  };
}

function byHourThenName(a: LoggedRequests, b: LoggedRequests): number {
  const names = ({ command, endpoint, status }: LoggedRequests) => `${command} ${endpoint} ${status ?? ''}`;
  return a.hourMs - b.hourMs || (names(a) < names(b) ? -1 : 1);
}

/** Days of the log that are looked through for what the API last said. */
const LOOKED_THROUGH_DAYS = 7;

/**
 * What the API said about the end of an endpoint to the newest process that asked for data in the last days; null where
 * it said nothing, or no process asked.
 */
export async function lastDeprecation(lakeDirectory: string, nowMs: number): Promise<Deprecation | null> {
  for (let days = 0; days < LOOKED_THROUGH_DAYS; days++) {
    const path = join(requestLogFolder(lakeDirectory), `${dayOf(nowMs - days * MS_PER_DAY)}.jsonl`);
    const text = await readFile(path, 'utf8').catch(() => '');
    for (const json of text.split('\n').reverse()) {
      const line = json === '' ? null : readLine(json);
      const askedForData = Object.keys(line?.answers ?? {}).some((answer) => !answer.startsWith('auth '));
      if (line !== null && askedForData) return line.deprecation ?? null;
    }
  }
  return null;
}

/** null for what is no whole line of the log. */
function readLine(json: string): RequestLogLine | null {
  let found: Partial<RequestLogLine> | null;
  try {
    found = JSON.parse(json);
  } catch {
    return null;
  }
  if (typeof found !== 'object' || found === null || typeof found.answers !== 'object' || found.answers === null)
    return null;
  const { at = '', account, command, answers, repeated, others } = found;
  const areNames = typeof account === 'string' && typeof command === 'string';
  const areCounts = Object.values(answers).every(Number.isSafeInteger) && Number.isSafeInteger(repeated);
  const areAnswers = Object.keys(answers).every(
    (key) => /^\w+ (\d{3}|none)$/.test(key) && ENDPOINTS.has(key.split(' ')[0] ?? ''),
  );
  if (!areNames || !areCounts || !areAnswers || Number.isNaN(Date.parse(at))) return null;
  return others === null || Number.isSafeInteger(others) ? (found as RequestLogLine) : null;
}
