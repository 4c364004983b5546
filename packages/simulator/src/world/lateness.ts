import { EdrlakeError } from '@edrlake/core';
import { unit } from './hash.ts';
import { DAY_MS, HOUR_MS, MINUTE_MS, SECOND_MS } from './time-text.ts';

/** A share of the events, and how long after happening they are processed. */
export interface LatenessClass {
  /** Weight against the other classes. */
  readonly share: number;
  readonly minMs: number;
  /** At most; short delays within a class are more frequent than long ones. */
  readonly maxMs: number;
}

/**
 * Most events within minutes, some after hours (a laptop that slept), a few after days. Delays are in milliseconds.
 * @example
 * const range = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) };
 * const [minutes] = DEFAULT_LATENESS;
 * const gateway = await startSimulator({ events: 100, range, seed: 1, lateness: minutes ? [minutes] : [] });
 * await gateway.close();
 */
export const DEFAULT_LATENESS: readonly LatenessClass[] = [
  { share: 0.9, minMs: 2 * SECOND_MS, maxMs: 5 * MINUTE_MS },
  { share: 0.08, minMs: 5 * MINUTE_MS, maxMs: 6 * HOUR_MS },
  { share: 0.02, minMs: 6 * HOUR_MS, maxMs: 5 * DAY_MS },
];

/** How long after it happened an event is processed, by index. */
export interface Lateness {
  readonly maxDelayMs: number;
  delayMs(index: number): number;
}

const SALT = { delayClass: 10, delay: 11 } as const;

/** @throws {EdrlakeError} `CONFIG_INVALID` for no class, a negative delay or an end before a start. */
export function latenessOf(seed: number, classes: readonly LatenessClass[]): Lateness {
  const total = classes.reduce((sum, each) => sum + each.share, 0);
  if (total <= 0 || classes.some((each) => each.share < 0 || each.minMs < 0 || each.maxMs < each.minMs)) {
    throw new EdrlakeError('CONFIG_INVALID', 'expected lateness classes with shares above 0 and 0 <= minMs <= maxMs');
  }
  const last = classes[classes.length - 1] as LatenessClass;
  return {
    maxDelayMs: Math.max(...classes.map((each) => each.maxMs)),
    delayMs(index) {
      let drawn = unit(seed, index, SALT.delayClass) * total;
      let chosen = last;
      for (const each of classes) {
        if (drawn < each.share) {
          chosen = each;
          break;
        }
        drawn -= each.share;
      }
      const along = unit(seed, index, SALT.delay);
      return Math.floor(chosen.minMs + along * along * (chosen.maxMs - chosen.minMs));
    },
  };
}
