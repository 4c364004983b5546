import { countText, durationText, nounText } from '@edrlake/core';
import { clockTimeText, percentText } from '../text/format-numbers.ts';
import { padEnd, truncate } from '../text/text-width.ts';
import { barLine, toGoText } from './progress-line.ts';
import { eventsInLake, eventsPerSecond, type ProgressState, timeLeftMs } from './progress-state.ts';
import { REQUEST_WAITS } from './request-waits.ts';

const PHASES = { planning: 'Planning', fetching: 'Fetching', finishing: 'Writing' } as const;
const LABEL_WIDTH = Math.max(...Object.values(PHASES).map((label) => label.length));
const SHOWN_WAIT_MS = 2_000;

/** The live display: one to three lines of at most `width` cells. */
export function liveLines(state: ProgressState, nowMs: number, width: number): string[] {
  const indent = ' '.repeat(LABEL_WIDTH + 2);
  const lines = [headLine(state, nowMs, width), `${indent}${measures(state, nowMs).join(' · ')}`];
  const waiting = waitingText(state, nowMs);
  if (waiting !== null) lines.push(`${indent}${waiting}`);
  return lines.map((line) => truncate(line, width));
}

/** The same in one line of plain text, for logs. */
export function plainLine(state: ProgressState, nowMs: number): string {
  const parts = [amountText(state), ...measures(state, nowMs)];
  const waiting = waitingText(state, nowMs);
  if (waiting !== null) parts.push(waiting);
  return parts.filter((part) => part !== '').join(', ');
}

function headLine(state: ProgressState, nowMs: number, width: number): string {
  const label = padEnd(PHASES[state.phase], LABEL_WIDTH);
  if (state.eventsExpected === null) return `${label}  ${durationText(nowMs - state.startedAtMs)}`;
  return barLine(label, { part: amountDone(state), whole: state.eventsExpected }, amountText(state), width);
}

function amountText(state: ProgressState): string {
  const expected = state.eventsExpected;
  if (expected === null) return 'counting';
  const done = Math.min(amountDone(state), expected);
  const inLake = state.phase === 'finishing' ? ' in the lake' : '';
  return `${percentText(done, expected)} · ${countText(done)} of ${nounText(expected, 'event')}${inLake}`;
}

/** What the bar shows: events fetched, and once all are, events in the lake. */
function amountDone(state: ProgressState): number {
  return state.phase === 'finishing' ? eventsInLake(state) : state.eventsDone;
}

function measures(state: ProgressState, nowMs: number): string[] {
  const parts = [nounText(state.requestsMade, 'request')];
  if (state.requestsLeft !== null) parts.push(`${countText(state.requestsLeft)} left`);
  const rate = eventsPerSecond(state, nowMs);
  if (rate !== null && state.phase !== 'finishing') parts.push(`${countText(Math.round(rate))} events/s`);
  if (state.retries > 0) parts.push(nounText(state.retries, 'retry', 'retries'));
  if (state.windowsFailed > 0) parts.push(`${nounText(state.windowsFailed, 'window')} failed`);
  if (state.windowsMismatched > 0) parts.push(`${nounText(state.windowsMismatched, 'window')} mismatched`);
  const leftMs = state.phase === 'fetching' ? timeLeftMs(state, nowMs) : null;
  if (leftMs !== null) parts.push(toGoText(leftMs));
  return parts;
}

function waitingText({ waiting, waitingSinceMs }: ProgressState, nowMs: number): string | null {
  if (waiting === null) return null;
  const { reason, untilMs } = waiting;
  // Each request ends the wait for one that ran before it; only a long wait is worth a line.
  if (untilMs === null) return nowMs - waitingSinceMs < SHOWN_WAIT_MS ? null : `waiting for ${REQUEST_WAITS[reason]}`;
  if (untilMs <= nowMs) return null;
  const until = clockTimeText(untilMs, nowMs);
  return reason === 'server-asked'
    ? `waiting until ${until}, as the gateway asked`
    : `waiting for ${REQUEST_WAITS[reason]} until ${until}`;
}
