import type { TimeRange } from '@edrlake/core';
import type { Fault, FaultEffect } from '@edrlake/simulator';

/** The forms `--fault` takes, with what each does. */
export const FAULT_FORMS: readonly (readonly [string, string])[] = [
  ['status:500', 'an error answer; any status from 400 to 599'],
  ['limit:5', 'status 429 that asks to wait 5 seconds'],
  ['html', 'status 200 with an HTML page'],
  ['stall:2000', 'nothing for 2000 ms; without a number for good'],
  ['reset', 'the connection is reset'],
  ['reset-body', 'the connection is reset inside the body'],
  ['truncated', 'the JSON ends early'],
  ['invalid-json', 'the JSON is broken in one place'],
  ['duplicate-row', 'one event comes twice, another one not'],
  ['missing-row', 'one event is missing'],
  ['listed-twice:10', 'one event in 10 comes twice'],
  ['foreign-rows:10', "one event in 10 is another customer's"],
  ['page-cap:500', 'pages hold 500 events at most'],
  ['page-size-refused:500', 'status 400 for pages of more than 500'],
  ['blocked', 'status 403 with the HTML page of a firewall'],
  ['reorder', 'the events come in another order'],
  ['late-arrival:10', '10 events arrive right after the answer'],
  ['expired-token', 'status 401, all tokens have ended'],
  ['empty-body', 'status 200 without a body'],
  ['no-content', 'status 204'],
  ['error-object', 'status 200 with an error as JSON'],
  ['wrong-count:5', 'a count is off by 5'],
  ['zero-count', 'a count is 0, also where there are events'],
  ['bare-number', 'a count is a number alone'],
];

/** What the forms have in common, in words for a help text. */
export const FAULT_GRAMMAR =
  'A fault is FORM, FORM@N (for the Nth such request) or FORM@NxTIMES (TIMES requests in a row). It meets requests for pages of events (the last three: counts); auth/FORM, count/FORM, detail/FORM and any/FORM meet others.';

/** Faults that only counts can have. */
const COUNT_FAULTS: readonly string[] = ['wrong-count', 'zero-count', 'bare-number'];

const PATTERN = /^(?:(auth|events|count|detail|any)\/)?([a-z-]+)(?::(-?\d{1,9}))?(?:@(\d{1,9})(?:x(\d{1,9}))?)?$/;

/**
 * The fault a text means, or null where it means none.
 * @param range of the simulated events: late arrivals lie in it
 */
export function parseFault(text: string, range: TimeRange): Fault | null {
  const match = PATTERN.exec(text);
  if (match === null) return null;
  const [, place, kind = '', numberText, position = '1', times = '1'] = match;
  const number = numberText === undefined ? null : Number(numberText);
  const effect = effectOf(kind, number, range);
  if (effect === null || Number(position) < 1 || Number(times) < 1) return null;
  const usual = COUNT_FAULTS.includes(kind) ? 'count' : 'events';
  const endpoint = (place ?? usual) as 'auth' | 'events' | 'count' | 'detail' | 'any';
  const after = Number(position) - 1;
  return { ...effect, match: endpoint === 'any' ? { after } : { endpoint, after }, times: Number(times) };
}

function effectOf(kind: string, number: number | null, range: TimeRange): FaultEffect | null {
  switch (kind) {
    case 'status':
      return number !== null && number >= 400 && number <= 599 ? { kind, status: number } : null;
    case 'limit':
      return number !== null && number > 0
        ? { kind: 'status', status: 429, limitHeaders: true, toWaitSeconds: number }
        : null;
    case 'stall':
      return number === null || number >= 0 ? { kind, stallMs: number } : null;
    case 'late-arrival':
      return number !== null && number > 0 ? { kind, addition: { events: number, range } } : null;
    case 'wrong-count':
      return number !== null && number !== 0 ? { kind, offBy: number } : null;
    case 'page-cap':
    case 'page-size-refused':
      return number !== null && number > 0 ? { kind, largest: number } : null;
    case 'listed-twice':
    case 'foreign-rows':
      return number !== null && number > 0 ? { kind, every: number } : null;
    case 'blocked':
      return number === null ? { kind: 'status', status: 403, body: 'html' } : null;
    case 'reset-body':
      return number === null ? { kind: 'reset', at: 'mid-body' } : null;
    case 'html':
    case 'reset':
    case 'truncated':
    case 'invalid-json':
    case 'duplicate-row':
    case 'missing-row':
    case 'reorder':
    case 'expired-token':
    case 'empty-body':
    case 'no-content':
    case 'error-object':
    case 'zero-count':
    case 'bare-number':
      return number === null ? { kind } : null;
    default:
      return null;
  }
}
