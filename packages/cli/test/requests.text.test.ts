// Contract: `edrlake requests` fits 80 columns, adds up, and says what is left and what others used.
import { MS_PER_HOUR, startOfDayMs } from '@edrlake/core';
import type { LoggedRequests } from '@edrlake/runner/history';
import { expect, it } from 'vitest';
import { type RequestsView, requestsDocument, requestsText } from '../src/render/requests-text.ts';

const NOON = startOfDayMs('2026-11-29') + 12 * MS_PER_HOUR;
const WINDOW = { requests: 300, windowSeconds: 3_600 };

function logged(hour: number, what: string, requests: number): LoggedRequests {
  const [command = '', endpoint, status] = what.split('|');
  const hourMs = NOON + hour * MS_PER_HOUR;
  return {
    ...{ hourMs, command, endpoint: endpoint as LoggedRequests['endpoint'], requests },
    status: status === '' ? null : Number(status),
  };
}

const VIEW: RequestsView = {
  sinceMs: NOON - 23 * MS_PER_HOUR,
  nowMs: NOON + 1_200_000,
  history: {
    requests: [
      logged(-1, 'backfill|events|200', 1_180),
      logged(-1, 'run nightly|auth|201', 1),
      logged(-1, 'run nightly|count|200', 20),
      logged(-1, 'run nightly|events|', 2),
      logged(-1, 'run nightly|events|429', 3),
      logged(0, 'event|detail|404', 1),
    ],
    hours: [
      { hourMs: NOON - MS_PER_HOUR, repeated: 5, others: 140 },
      { hourMs: NOON, repeated: 0, others: null },
    ],
    unreadableLines: 1,
  },
  left: {
    ...{ requestsLeft: 48, limit: WINDOW, usedAtMs: NOON, own: 112, foreign: 140, blockedUntilMs: null },
    ...{ nextAtMs: NOON, allFreeAtMs: NOON + MS_PER_HOUR - 1 },
  },
};

it('shows hours, commands and totals at 80 columns', () => {
  expect(`\n${requestsText(VIEW, 80)}`).toBe(`
hour (UTC)        command      events  counts  other  refused  failed  others
────────────────  ───────────  ──────  ──────  ─────  ───────  ──────  ──────
2026-11-29 11:00  backfill      1,180       0      0        0       0     140
                  run nightly       5      20      1        3       2
2026-11-29 12:00  event             0       0      1        0       1

Sent        1,207 requests since 2026-11-28T13:00:00Z, 3 refused for the limit
Sent again  5 of them, after a failure or a 204
Others      up to 140 requests in a window, by the same subscription
Left        48 of 300 in 1 h
All free    2026-11-29T13:00:00Z

Not counted: 1 line of the log that cannot be read.
`);
});

it('says what is not known', () => {
  const nothing = { requests: [], hours: [], unreadableLines: 0 };
  expect(requestsText({ ...VIEW, history: nothing, left: null }, 80)).toBe(`Sent  no request since 2026-11-28T13:00:00Z
Left  unknown: no command has asked the API for this lake
`);
});

it('has the same as one JSON document', () => {
  expect(requestsDocument(VIEW)).toMatchObject({
    ...{ since: '2026-11-28T13:00:00.000Z', total: 1_207, refused: 3, failed: 3, mostByOthers: 140 },
    limit: { requests: 300, windowSeconds: 3_600, left: 48, own: 112, others: 140 },
  });
});
