import { MS_PER_DAY, NO_FILTER, rangeOfDays, sum, type TimeRange, wholeDaysOf } from '@edrlake/core';
import { type Lake, scopeText } from '@edrlake/lake';
import { type RefusedDays, readGate } from '../days/gate.ts';

/** What it means that something is not in the lake. */
export interface Absence {
  /** Whole UTC days; null in a lake that knows no day. */
  readonly range: TimeRange | null;
  readonly days: number;
  readonly provenDays: number;
  /** Days that are not proven, oldest first. */
  readonly unproven: readonly RefusedDays[];
}

/**
 * Asks which days of a range the lake has proven: only there does an event that is not in the lake say that the API did
 * not list it.
 * @param range null: from the first to the last day that the lake knows
 */
export async function readAbsence(lake: Lake, range: TimeRange | null, nowMs: number): Promise<Absence> {
  const asked = range ?? (await knownRange(lake));
  if (asked === null) return { range: null, days: 0, provenDays: 0, unproven: [] };
  const question = { range: asked, scope: NO_FILTER, require: 'proven', maxAgeMs: null, nowMs } as const;
  const { days, refused } = await readGate(lake, question);
  const missing = sum(refused, ({ startMs, endMs }) => (endMs - startMs) / MS_PER_DAY);
  return { range: wholeDaysOf(asked), days, provenDays: days - missing, unproven: refused };
}

async function knownRange(lake: Lake): Promise<TimeRange | null> {
  const lines = (await lake.coverage()).filter(({ scope }) => scope === scopeText(NO_FILTER));
  const [first, last] = [lines[0], lines.at(-1)];
  if (first === undefined || last === undefined) return null;
  return rangeOfDays(first.day, last.lastDay);
}
