import type { RunEvent } from '@edrlake/core';

/** What a request waits for, by the reason of its `pace` event. */
export const REQUEST_WAITS = {
  'rate-limit': 'the rate limit',
  'server-asked': 'the time the gateway asked for',
  concurrency: 'a running request to end (--concurrency or gateway limit)',
  'other-process': 'requests of other processes that share the rate limit',
} as const satisfies Record<Extract<RunEvent, { type: 'pace' }>['reason'], string>;
