import type {
  CursorWalk,
  EventQuery,
  EventSource,
  HistogramBucket,
  PageReader,
  PageSizing,
  Pagination,
  ValueCount,
} from '@edrlake/core';

/** One event of a source in memory. */
export interface MemoryEvent {
  readonly atMs: number;
  readonly id?: string | null;
  readonly type?: string;
  readonly agent?: string;
}

export interface MemorySourceOptions {
  readonly pageSize: number;
  readonly maxResultWindow: number;
  /** Default true. */
  readonly histogram?: boolean;
  /** The API gives no more events a page than this. Default: the requested number. */
  readonly pageSizeCap?: number;
  /** Windows of up to this number of events by cursors. Default: pages by number. */
  readonly maxWindowEvents?: number;
}

/** An API in memory, in place of the network. Tests change `events` and replace single methods. */
export interface MemorySource extends EventSource {
  /** Replace it to let data change between requests. Sorted by time on use. */
  events: readonly MemoryEvent[];
  pageSize: number;
  readonly pageSizing: PageSizing;
  readonly calls: { count: number; groups: number; histogram: number; page: number };
  pagesInFlight: number;
  mostPagesInFlight: number;
  matching(query: EventQuery): readonly MemoryEvent[];
  /** The function behind `cursor.page`. */
  walk: CursorWalk['page'];
}

/** A cursor names the event before its position. */
export function cursorOf({ atMs, id }: MemoryEvent): string {
  return JSON.stringify([atMs, id ?? null]);
}

export function memorySource(events: readonly MemoryEvent[], options: MemorySourceOptions): MemorySource {
  async function asked<T>(read: PageReader<T>, page: readonly MemoryEvent[], signal: AbortSignal): Promise<T> {
    signal.throwIfAborted();
    source.calls.page++;
    source.mostPagesInFlight = Math.max(source.mostPagesInFlight, ++source.pagesInFlight);
    try {
      return await read(bodyOf(page, signal));
    } finally {
      source.pagesInFlight--;
    }
  }
  const given = ({ pageSize }: Pagination) => Math.min(pageSize, options.pageSizeCap ?? pageSize);
  const source: MemorySource = {
    name: 'memory',
    maxResultWindow: options.maxResultWindow,
    pageSize: options.pageSize,
    pageSizing: {
      asked: options.pageSize,
      lowerTo: (pageSize) => {
        source.pageSize = pageSize;
      },
    },
    idFields: ['id'],
    events,
    calls: { count: 0, groups: 0, histogram: 0, page: 0 },
    pagesInFlight: 0,
    mostPagesInFlight: 0,
    matching: (query) => select(source.events, query),
    async count(query, signal) {
      signal.throwIfAborted();
      source.calls.count++;
      return source.matching(query).length;
    },
    async groups(query, field, limit, signal) {
      signal.throwIfAborted();
      source.calls.groups++;
      const counts = new Map<string, number>();
      for (const event of source.matching(query)) {
        const value = event[field];
        if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
      }
      const groups: ValueCount[] = [...counts].map(([value, count]) => ({ value, count }));
      return groups.sort((a, b) => b.count - a.count).slice(0, limit);
    },
    histogram:
      options.histogram === false
        ? null
        : async (query, bucketMs, signal) => {
            signal.throwIfAborted();
            source.calls.histogram++;
            return bucketsOf(source.matching(query), bucketMs);
          },
    cursor:
      options.maxWindowEvents === undefined
        ? null
        : { maxWindowEvents: options.maxWindowEvents, page: (...request) => source.walk(...request) },
    async walk<T>(
      query: EventQuery,
      cursor: string | null,
      read: PageReader<T>,
      signal: AbortSignal,
      way: Pagination = { pageSize: source.pageSize, reversed: false },
    ) {
      const matching = orderedBy(source.matching(query), way);
      const from = cursor === null ? 0 : matching.findIndex((event) => cursorOf(event) === cursor) + 1;
      const page = matching.slice(from, from + given(way));
      const value = await asked(read, page, signal);
      const last = page.at(-1);
      return { value, next: last === undefined ? null : cursorOf(last) };
    },
    async page<T>(
      query: EventQuery,
      pageNumber: number,
      read: PageReader<T>,
      signal: AbortSignal,
      way: Pagination = { pageSize: source.pageSize, reversed: false },
    ): Promise<T> {
      const from = pageNumber * given(way);
      return asked(read, orderedBy(source.matching(query), way).slice(from, from + given(way)), signal);
    },
  };
  return source;
}

function orderedBy(events: readonly MemoryEvent[], { reversed }: Pagination): readonly MemoryEvent[] {
  return reversed ? [...events].reverse() : events;
}

/** A page as the network delivers it: in pieces, not at once. */
export async function* bodyOf(events: readonly MemoryEvent[], signal: AbortSignal): AsyncGenerator<Uint8Array> {
  const body = Buffer.from(JSON.stringify(events));
  for (let from = 0; from < body.length; from += 1_000) {
    await new Promise((resolve) => setImmediate(resolve));
    signal.throwIfAborted();
    yield body.subarray(from, from + 1_000);
  }
}

const sorted = new WeakMap<readonly MemoryEvent[], readonly MemoryEvent[]>();

function select(events: readonly MemoryEvent[], query: EventQuery): readonly MemoryEvent[] {
  let ordered = sorted.get(events);
  if (ordered === undefined) {
    ordered = [...events].sort((a, b) => a.atMs - b.atMs);
    sorted.set(events, ordered);
  }
  const inRange = ordered.slice(
    firstAtOrAfter(ordered, query.range.startMs),
    firstAtOrAfter(ordered, query.range.endMs),
  );
  if (query.cuts.length === 0) return inRange;
  return inRange.filter((event) =>
    query.cuts.every(({ field, op, values }) => values.includes(event[field] ?? '\u0000none') === (op === 'in')),
  );
}

function firstAtOrAfter(ordered: readonly MemoryEvent[], atMs: number): number {
  let low = 0;
  let high = ordered.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (ordered[middle]!.atMs < atMs) low = middle + 1;
    else high = middle;
  }
  return low;
}

function bucketsOf(events: readonly MemoryEvent[], bucketMs: number): HistogramBucket[] {
  const counts = new Map<number, number>();
  for (const { atMs } of events) {
    const startMs = Math.floor(atMs / bucketMs) * bucketMs;
    counts.set(startMs, (counts.get(startMs) ?? 0) + 1);
  }
  return [...counts]
    .sort(([a], [b]) => a - b)
    .map(([startMs, count]) => ({ range: { startMs, endMs: startMs + bucketMs }, count }));
}
