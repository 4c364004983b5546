import { type Day, MS_PER_DAY, startOfDayMs, sum } from '@edrlake/core';

/** Hours of a day, and of a week. */
export const HOURS = 24;

/** Events of one type on one platform in each hour of a day; `''` where an event names none. */
export interface SourceHours {
  readonly type: string;
  readonly platform: string;
  readonly hours: readonly number[];
}

/** A source of events; null: all types, or all platforms, together. */
export interface Source {
  readonly type: string | null;
  readonly platform: string | null;
}

/** Which sources brought how many events in each hour. Days that are not proven are absent. */
export type VolumeByDay = ReadonlyMap<Day, readonly SourceHours[]>;

/** The events of one source in each hour of proven days. */
export interface Series {
  readonly source: Source;
  /** By day; a day that is not proven is absent, a day without events has zeros. */
  readonly days: ReadonlyMap<number, readonly number[]>;
}

/** The most sources that are looked at: those with the most events. */
const MOST_SOURCES = 100;

/** The days since the epoch; their weekday is this number modulo seven. */
export function dayNumber(day: Day): number {
  return startOfDayMs(day) / MS_PER_DAY;
}

/** Every source with events: all together, by type, by platform and by both, the largest first. */
export function seriesOf(volume: VolumeByDay): readonly Series[] {
  const sums = new Map<string, { readonly source: Source; readonly days: Map<number, number[]> }>();
  for (const [day, sources] of volume) {
    for (const { type, platform, hours } of sources) {
      for (const source of sourcesOf(type, platform)) {
        const key = sourceKey(source);
        const series = sums.get(key) ?? { source, days: new Map<number, number[]>() };
        sums.set(key, series);
        const ofDay = series.days.get(dayNumber(day)) ?? new Array<number>(HOURS).fill(0);
        for (let hour = 0; hour < HOURS; hour += 1) ofDay[hour] = (ofDay[hour] ?? 0) + (hours[hour] ?? 0);
        series.days.set(dayNumber(day), ofDay);
      }
    }
  }
  const known = [...volume.keys()].map(dayNumber).sort((a, b) => a - b);
  const nothing = new Array<number>(HOURS).fill(0);
  return [...sums.values()]
    .map(({ source, days }) => ({ source, days: new Map(known.map((day) => [day, days.get(day) ?? nothing])) }))
    .map((series) => ({ series, events: sum(series.days.values(), eventsOf) }))
    .sort((a, b) => b.events - a.events || (sourceKey(a.series.source) < sourceKey(b.series.source) ? -1 : 1))
    .slice(0, MOST_SOURCES)
    .map(({ series }) => series);
}

function sourcesOf(type: string, platform: string): readonly Source[] {
  return [
    { type: null, platform: null },
    { type, platform: null },
    { type: null, platform },
    { type, platform },
  ];
}

/** Events of a day. */
export function eventsOf(hours: readonly number[]): number {
  let events = 0;
  for (const count of hours) events += count;
  return events;
}

/** A source as text that is only compared. */
export function sourceKey({ type, platform }: Source): string {
  return JSON.stringify([type, platform]);
}

/** Whether one source holds all events of another, and is not the same. */
export function holdsSource(outer: Source, inner: Source): boolean {
  const holds = (whole: string | null, part: string | null) => whole === null || whole === part;
  return (
    holds(outer.type, inner.type) && holds(outer.platform, inner.platform) && sourceKey(outer) !== sourceKey(inner)
  );
}
