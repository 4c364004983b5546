import { MS_PER_HOUR, MS_PER_MINUTE, MS_PER_SECOND } from '@edrlake/core';

// A night of many subscriptions in virtual time: how long it takes with a number of slots, and what the server gets.

/** What a night of one subscription is made of. */
export interface NightModel {
  readonly subscriptions: number;
  /** Requests of a night of one subscription. */
  readonly requests: number;
  readonly limit: number;
  readonly windowMs: number;
  readonly atOnce: number;
  /** Of one request, from being sent to its page on disk. */
  readonly requestMs: number;
  /** Of the tasks of a night besides requests, and of beginning again after a slot was given back. */
  readonly otherWorkMs: number;
  readonly beginMs: number;
  readonly beginRequests: number;
  /** Of all workers. */
  readonly slots: number;
}

/** 1,000,000 events a day at 300 requests an hour. */
export const ONE_MILLION_EACH: Omit<NightModel, 'slots' | 'subscriptions'> = {
  requests: 1_020,
  limit: 300,
  windowMs: MS_PER_HOUR,
  atOnce: 2,
  requestMs: MS_PER_SECOND,
  otherWorkMs: 1.5 * MS_PER_MINUTE,
  beginMs: 2 * MS_PER_SECOND,
  beginRequests: 3,
};

/** What came of it. */
export interface NightEnd {
  readonly tookMs: number;
  /** Attempts of activities. */
  readonly attempts: number;
  /** Requests that beginning again cost. */
  readonly extraRequests: number;
  readonly mostSlots: number;
  /** Heartbeats: one a second of each slot at work. */
  readonly heartbeats: number;
}

/** A wait of up to this is waited for in the slot. */
const PATIENCE_MS = 15_000;

interface Night {
  left: number;
  /** When requests were answered, of those that may still count. */
  answeredMs: number[];
  readyMs: number;
}

/**
 * All nights begin at once. A night takes a slot, asks for what it may, and gives the slot back until a third of its
 * limit is free.
 */
export function simulateNights(model: NightModel): NightEnd {
  const { subscriptions, requests, limit, windowMs, slots } = model;
  const nights: Night[] = Array.from({ length: subscriptions }, () => ({ left: requests, answeredMs: [], readyMs: 0 }));
  const freeAtMs = Array.from({ length: slots }, () => 0);
  let [attempts, extraRequests, busyMs, endMs] = [0, 0, 0, 0];
  const busy: [number, number][] = [];
  const waiting = [...nights];
  while (waiting.length > 0) {
    // The next slot that is free takes the night that has waited for the longest.
    const slot = freeAtMs.indexOf(Math.min(...freeAtMs));
    waiting.sort((a, b) => a.readyMs - b.readyMs);
    const night = waiting.shift() as Night;
    const startMs = Math.max(freeAtMs[slot] ?? 0, night.readyMs);
    const doneMs = attempt(model, night, startMs, attempts > 0 && night.left < requests);
    if (night.left < requests && night.answeredMs.length > 0)
      extraRequests += night.readyMs > 0 ? model.beginRequests : 0;
    attempts += 1;
    busyMs += doneMs - startMs;
    busy.push([startMs, 1], [doneMs, -1]);
    freeAtMs[slot] = doneMs;
    endMs = Math.max(endMs, doneMs);
    if (night.left === 0) continue;
    const counting = night.answeredMs.filter((ms) => ms > doneMs - windowMs).sort((a, b) => a - b);
    const missing = Math.ceil(limit / 3) - (limit - counting.length);
    night.readyMs = missing > 0 ? (counting[missing - 1] ?? doneMs) + windowMs : doneMs;
    waiting.push(night);
  }
  busy.sort((a, b) => a[0] - b[0] || a[1] - b[1]);
  let [now, most] = [0, 0];
  for (const [, change] of busy) {
    now += change;
    most = Math.max(most, now);
  }
  return { tookMs: endMs, attempts, extraRequests, mostSlots: most, heartbeats: Math.round(busyMs / MS_PER_SECOND) };
}

/** One attempt: until the night is done, or a request would wait for longer than the patience. @returns its end */
function attempt(model: NightModel, night: Night, startMs: number, isAgain: boolean): number {
  const { limit, windowMs, atOnce, requestMs, beginMs, otherWorkMs, beginRequests } = model;
  let nowMs = startMs + (isAgain ? beginMs : 0);
  let wanted = night.left + (isAgain ? beginRequests : 0);
  while (wanted > 0) {
    night.answeredMs = night.answeredMs.filter((ms) => ms > nowMs - windowMs);
    const free = limit - night.answeredMs.length;
    if (free <= 0) {
      const freeMs = Math.min(...night.answeredMs) + windowMs;
      if (freeMs - nowMs > PATIENCE_MS) break;
      nowMs = freeMs;
      continue;
    }
    const sent = Math.min(free, wanted, atOnce);
    nowMs += requestMs;
    for (let n = 0; n < sent; n += 1) night.answeredMs.push(nowMs);
    wanted -= sent;
  }
  night.left = Math.min(night.left, wanted);
  return night.left === 0 ? nowMs + otherWorkMs : nowMs;
}
