import type { EventWorld } from '../records/render-list.ts';
import type { Axis } from '../world/population.ts';
import type { Selection } from './select.ts';
import type { TokenTable, TokenValue } from './tokens.ts';

interface SortKey {
  readonly value: TokenValue;
  readonly descending: boolean;
  /** The axis, where the key is a time. */
  readonly axis: Axis | null;
}

/** The order in which a page shows events. */
export interface Order {
  readonly keys: readonly SortKey[];
}

/** A full sort of more events than this is refused. */
const FULL_SORT_LIMIT = 3_000_000;
/** Events examined in one step when only some of them match. */
const STEP_RANKS = 4096;
const CACHED_ANSWERS = 32;

/**
 * Reads the `sort` parameter, JSON such as `[{"event.dateTime":"desc"},{"id":"asc"}]`. Without one: newest first.
 * @returns a text with the error where it cannot be read or names an unknown token
 */
export function parseOrder(world: EventWorld, tokens: TokenTable, text: string | null): Order | string {
  if (text === null || text.trim() === '') return { keys: [timeKey(world, 'event', true)] };
  let parsed: unknown;
  try {
    parsed = JSON.parse(text);
  } catch {
    return 'sort is not JSON';
  }
  const entries = (Array.isArray(parsed) ? parsed : [parsed]).flatMap((each: unknown) =>
    typeof each === 'object' && each !== null ? Object.entries(each) : [['', null]],
  );
  const keys: SortKey[] = [];
  for (const [name, direction] of entries) {
    const descending = String(direction).toLowerCase() === 'desc';
    if (!descending && String(direction).toLowerCase() !== 'asc') return `sort: expected asc or desc for "${name}"`;
    const token = tokens.asField(String(name));
    if (token === null) return `sort: unknown token "${name}"`;
    keys.push(
      token.kind === 'time' ? timeKey(world, token.axis, descending) : { value: token.value, descending, axis: null },
    );
  }
  return keys.length === 0 ? 'sort names no token' : { keys };
}

function timeKey(world: EventWorld, axis: Axis, descending: boolean): SortKey {
  const { population } = world;
  return { value: axis === 'event' ? population.timeOf : population.processedOf, descending, axis };
}

/** Compares two events by the keys; events without a value come last; ties are broken by index. */
function comparatorOf(order: Order): (a: number, b: number) => number {
  return (a, b) => {
    for (const { value, descending } of order.keys) {
      const left = value(a);
      const right = value(b);
      if (left === right) continue;
      if (left === null || right === null) return left === null ? 1 : -1;
      return left < right === descending ? 1 : -1;
    }
    return a - b;
  };
}

/** Whether the events can be shown by walking the selection's axis: the first key is its time. */
function followsAxis(selection: Selection, order: Order): boolean {
  return order.keys[0]?.axis === selection.axis;
}

/** Reads pages of selections. Remembers a bounded number of recent queries whose pages need searching. */
export interface PageReader {
  /** The events at positions `skip` to before `skip + take`, or a text with the error. */
  page(question: string, selection: Selection, order: Order, skip: number, take: number): readonly number[] | string;
  /**
   * The `take` events after the cursor's one, or from the start; null where the order does not follow the selection's
   * time.
   */
  after(selection: Selection, order: Order, cursor: number | null, take: number): readonly number[] | null;
}

interface Progress {
  readonly found: number[];
  readonly steps: Iterator<readonly number[]>;
}

/** @param firstResults no page beyond this many results is ever asked for */
export function pageReader(world: EventWorld, firstResults: number): PageReader {
  const sorted = new Map<string, readonly number[]>();
  const partial = new Map<string, Progress>();
  return {
    page(question, selection, order, skip, take) {
      if (followsAxis(selection, order)) {
        if (selection.matches === null) return directPage(world, selection, order, skip, take);
        const progress = remembered(partial, question, () => ({
          found: [],
          steps: stepsFrom(world, selection, order, null, STEP_RANKS),
        }));
        while (progress.found.length < skip + take) {
          const step = progress.steps.next();
          if (step.done === true) break;
          progress.found.push(...step.value);
        }
        return progress.found.slice(skip, skip + take);
      }
      if (selection.endRank - selection.startRank > FULL_SORT_LIMIT) return 'too many events to sort by that';
      const all = remembered(sorted, question, () => fullSort(selection, order).slice(0, firstResults));
      return all.slice(skip, skip + take);
    },
    after(selection, order, cursor, take) {
      if (!followsAxis(selection, order)) return null;
      const compare = comparatorOf(order);
      const rows: number[] = [];
      const from = cursor === null ? null : groupEdge(world, selection, order, cursor);
      const steps = stepsFrom(world, selection, order, from, Math.max(take, 64));
      for (const step of steps) {
        for (const index of step) {
          if (cursor === null || compare(index, cursor) > 0) rows.push(index);
          if (rows.length === take) return rows;
        }
      }
      return rows;
    },
  };
}

/** The remembered answer, or a new one; the least recently used one is removed. */
function remembered<T>(cache: Map<string, T>, key: string, make: () => T): T {
  const value = cache.get(key) ?? make();
  cache.delete(key);
  cache.set(key, value);
  if (cache.size > CACHED_ANSWERS) cache.delete(cache.keys().next().value as string);
  return value;
}

function fullSort(selection: Selection, order: Order): number[] {
  const all: number[] = [];
  for (let rank = selection.startRank; rank < selection.endRank; rank += 1) {
    const index = selection.sequence.indexAt(rank);
    if (selection.matches?.(index) !== false) all.push(index);
  }
  return all.sort(comparatorOf(order));
}

function directPage(world: EventWorld, selection: Selection, order: Order, skip: number, take: number): number[] {
  const { startRank, endRank, sequence } = selection;
  if (skip >= endRank - startRank) return [];
  const descending = order.keys[0]?.descending === true;
  const first = sequence.indexAt(descending ? endRank - 1 - skip : startRank + skip);
  const from = groupEdge(world, selection, order, first);
  const passed = skip - (descending ? endRank - from : from - startRank);
  const rows: number[] = [];
  for (const step of stepsFrom(world, selection, order, from, take)) {
    rows.push(...step);
    if (rows.length >= passed + take) break;
  }
  return rows.slice(passed, passed + take);
}

/** Where the events that share the index's millisecond begin in the reading direction, so that ties are seen whole. */
function groupEdge(world: EventWorld, selection: Selection, order: Order, index: number): number {
  const atMs = selection.axis === 'event' ? world.population.timeOf(index) : world.population.processedOf(index);
  const { sequence, startRank, endRank } = selection;
  return order.keys[0]?.descending === true
    ? Math.max(startRank, Math.min(endRank, sequence.rankBefore(atMs + 1, -1)))
    : Math.min(endRank, Math.max(startRank, sequence.rankBefore(atMs, -1)));
}

/**
 * The matching events in order, in steps of about `stepRanks` examined ones. Steps never divide the events of one
 * millisecond, so sorting each step sorts everything.
 * @param from a rank: first to read ascending, one past the first descending; null: all
 */
function* stepsFrom(
  world: EventWorld,
  selection: Selection,
  order: Order,
  from: number | null,
  stepRanks: number,
): Generator<readonly number[], undefined> {
  const { startRank, endRank, sequence, matches, axis } = selection;
  const timeAt = (rank: number) => {
    const index = sequence.indexAt(rank);
    return axis === 'event' ? world.population.timeOf(index) : world.population.processedOf(index);
  };
  const descending = order.keys[0]?.descending === true;
  const compare = comparatorOf(order);
  let low = descending ? startRank : (from ?? startRank);
  let high = descending ? (from ?? endRank) : endRank;
  while (low < high) {
    let first = low;
    let end = high;
    if (descending) {
      if (high - stepRanks > low) first = Math.max(low, sequence.rankBefore(timeAt(high - stepRanks), -1));
      high = first;
    } else {
      if (low + stepRanks < high) end = Math.min(high, sequence.rankBefore(timeAt(low + stepRanks - 1) + 1, -1));
      low = end;
    }
    const found: number[] = [];
    for (let rank = first; rank < end; rank += 1) {
      const index = sequence.indexAt(rank);
      if (matches === null || matches(index)) found.push(index);
    }
    if (descending || order.keys.length > 1) found.sort(compare);
    yield found;
  }
}
