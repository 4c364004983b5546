import type { TimeRange } from '@edrlake/core';
import { detailOf, type JsonObject } from './records/render-detail.ts';
import { profileCount } from './records/render-fim.ts';
import { type EventWorld, listRenderer } from './records/render-list.ts';
import type { Axis } from './world/population.ts';
import { dayNumber, dayText } from './world/time-text.ts';

/** The rows that a lake must have for one UTC day of `dateTime`. Child rows are those of records with an id. */
export interface DayTruth {
  readonly day: string;
  /** Records with an id. */
  events: number;
  /** Records whose id is null. */
  rejects: number;
  certificates: number;
  indicators: number;
  interfaces: number;
  assetTags: number;
}

/** The same for the FIM API, which shows the same events in its own way. */
export interface FimDayTruth {
  readonly day: string;
  /** Records with an id. */
  events: number;
  /** Records whose id is null. */
  rejects: number;
  profiles: number;
  interfaces: number;
}

/**
 * The real content of the data, without HTTP: computed from the attributes, not from rendered records. Only visible
 * events count. A range is half-open; without one, everything.
 */
export interface Truth {
  /** Events whose time on the axis, by default `event`, is in the range. */
  count(range?: TimeRange, axis?: Axis): number;
  /** Indexes of the events in the order of the axis (default `event`). Do not change the data while reading. */
  indexes(range?: TimeRange, axis?: Axis): Iterable<number>;
  /** Ids in the order of time; records whose id is null are left out. */
  ids(range?: TimeRange, axis?: Axis): Iterable<string>;
  /** One entry for each day that has records, oldest first. */
  perDay(range?: TimeRange): readonly DayTruth[];
  /** As `perDay`, of what the FIM API delivers. */
  fimPerDay(range?: TimeRange): readonly FimDayTruth[];
  /** The record as a list shows it. */
  event(index: number): JsonObject;
  /** The JSON of the record as a list shows it. */
  text(index: number): string;
  /** The record as the detail endpoint shows it. */
  detail(index: number): JsonObject;
  /** The event with an id or time-series id, visible or not; null for an id of no event. */
  indexOf(id: string): number | null;
}

/** The truth about a world. */
export function truthOf(world: EventWorld): Truth {
  const { attributes, population, identities } = world;
  const render = listRenderer(world);
  const ranks = (range: TimeRange | undefined, axis: Axis) => {
    const sequence = population.visible(axis);
    return {
      sequence,
      start: range === undefined ? 0 : sequence.rankBefore(range.startMs, -1),
      end: range === undefined ? sequence.length : sequence.rankBefore(range.endMs, -1),
    };
  };
  function* indexes(range?: TimeRange, axis: Axis = 'event'): Iterable<number> {
    const { sequence, start, end } = ranks(range, axis);
    for (let rank = start; rank < end; rank += 1) yield sequence.indexAt(rank);
  }
  const event = (index: number) => JSON.parse(render(index)) as JsonObject;
  /** Entries of days, oldest first, each begun by its first record. */
  function daysOf<T>(range: TimeRange | undefined, begin: (day: string) => T, add: (entry: T, index: number) => void) {
    const days: T[] = [];
    let current = Number.NaN;
    for (const index of indexes(range)) {
      const day = dayNumber(population.timeOf(index));
      if (day !== current) days.push(begin(dayText(day)));
      current = day;
      add(days[days.length - 1] as T, index);
    }
    return days;
  }
  return {
    count(range, axis = 'event') {
      const { start, end } = ranks(range, axis);
      return end - start;
    },
    indexes,
    *ids(range, axis = 'event') {
      for (const index of indexes(range, axis)) {
        const id = identities.id(index);
        if (id !== null) yield id;
      }
    },
    perDay(range) {
      const nothing = { events: 0, rejects: 0, certificates: 0, indicators: 0, interfaces: 0, assetTags: 0 };
      return daysOf<DayTruth>(range, (day) => ({ day, ...nothing }), addTo);
    },
    fimPerDay(range) {
      const nothing = { events: 0, rejects: 0, profiles: 0, interfaces: 0 };
      return daysOf<FimDayTruth>(range, (day) => ({ day, ...nothing }), addFimTo);
    },
    event,
    text: render,
    detail: (index) => detailOf(world, index, event(index)),
    indexOf: identities.indexOf,
  };

  function addTo(day: DayTruth, index: number): void {
    if (attributes.hasNullId(index)) {
      day.rejects += 1;
      return;
    }
    const { first, second } = attributes.indicatorCounts(index);
    day.events += 1;
    day.certificates += attributes.certificateCount(index);
    day.indicators += first + second;
    day.interfaces += attributes.interfaceCount(index);
    day.assetTags += attributes.tagCount(index);
  }

  function addFimTo(day: FimDayTruth, index: number): void {
    if (attributes.hasNullId(index)) {
      day.rejects += 1;
      return;
    }
    day.events += 1;
    day.profiles += profileCount(attributes.seed, index);
    day.interfaces += attributes.machine(index).interfaces.length;
  }
}
