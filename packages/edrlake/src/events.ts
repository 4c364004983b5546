import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import {
  EdrlakeError,
  type FetchedWindow,
  isoInstant,
  type RecordShape,
  SPOOL_BROKEN,
  SPOOL_MEMBERS,
  type SpooledPage,
  type TimeRange,
} from '@edrlake/core';
import type { FailedWindow } from '@edrlake/pager';
import type { EdrEvent } from './event.ts';
import { PLAN_CHECKS, type PlanOptions } from './export.ts';
import { COUNT, checkOptions, FUNCTION, TEXT } from './input/checks.ts';
import { listenerOf, rangeOf, scopeOf, signalOf } from './input/options.ts';
import type { Lake } from './lake/types.ts';
import { internalsOf as lakeInternalsOf } from './lake.ts';
import { type Source, type SourceInternals, internalsOf as sourceInternalsOf } from './source.ts';

/** Which events to read, and how. */
export interface EventsOptions extends PlanOptions {
  /** Requests count in the account of this lake from now on. Nothing else of it is used. */
  readonly lake?: Lake;
  /** Pages in flight at once, at most what the source allows. Default: what the source allows. */
  readonly concurrency?: number;
  /**
   * Bytes of pages on disk that have not been read yet; fetching waits there. Default 64 MiB. One window is always
   * fetched whole, however large it is.
   */
  readonly maxSpooledBytes?: number;
  /** Where pages wait to be read: a folder for temporary folders. Default: that of the operating system. */
  readonly temporaryDirectory?: string;
  /**
   * Reads the JSON of one record. Default `JSON.parse`, which rounds integers beyond 2^53: give a lossless parser where
   * that matters.
   */
  readonly parse?: (json: string) => unknown;
}

/** Some events of one window, in the order of the API. At most a page as the gateway gives them, usually 1,000. */
export interface EventPage<Event extends object = EdrEvent> {
  /** Each id once in a window. Empty for a page that holds only what other pages had. */
  readonly events: readonly Event[];
  /** Records that are no JSON, are not UTF-8 or are larger than 16 MiB. */
  readonly unreadable: readonly UnreadableRecord<Event>[];
  /**
   * The window: the range that its events were asked for by. Several windows may share one, divided by type or asset.
   */
  readonly range: TimeRange;
  readonly windowId: string;
  /** From 0 in the window. */
  readonly pageNumber: number;
}

/** A record that could not be read whole. */
export interface UnreadableRecord<Event extends object = EdrEvent> {
  /** Why, in a fixed wording. */
  readonly reason: string;
  /** Those members that could be read for certain. */
  readonly fields: Event;
}

const DEFAULT_SPOOLED_BYTES = 64 * 1024 * 1024;

/**
 * The events of a range as the API delivers them, without a lake: page by page, in windows that are planned from counts
 * so that paging reaches every event. Requests are retried, cursors followed, and each window is compared with its
 * count; one that outgrew its plan is divided.
 *
 * Windows come roughly in the order of time, so sort where order matters. Each id comes once in a window. An event is
 * in one window, by its time; one that is revised while the range is read may come again in a later window.
 *
 * Pages wait in a temporary folder until they are read: memory holds one page, the ids of the windows in work, and the
 * plan. Fetching waits while the reader is `maxSpooledBytes` behind. Leaving the loop stops all requests and removes
 * the folder; a process that is killed leaves it.
 *
 * A loop that ends without an error has delivered everything that the API counts.
 * @typeParam Event what an event of the source's dataset holds. The caller asserts it; nothing checks it.
 * @throws {EdrlakeError} `RANGE_INVALID`, `AUTH_REJECTED`, `FILTER_REJECTED`, `HOST_UNREACHABLE`, `INTERRUPTED`;
 * `PARTLY_DONE` after the last page, if windows failed or what came is not what the API counts: its message names the
 * ranges. `LAKE_UNWRITABLE` where the temporary folder cannot be written.
 * @example
 * for await (const { events: page } of events(source, { from: '2020-08-17', to: '2020-08-17' })) {
 *   for (const event of page) console.log(event.id, event.type, event.asset?.hostName);
 * }
 */
export async function* events<Event extends object = EdrEvent>(
  source: Source,
  options: EventsOptions,
): AsyncGenerator<EventPage<Event>, void, void> {
  const internals = sourceInternalsOf(source);
  const { reports } = internals;
  checkOptions('events', options, {
    ...PLAN_CHECKS,
    concurrency: COUNT,
    maxSpooledBytes: COUNT,
    temporaryDirectory: TEXT,
    parse: FUNCTION,
  });
  if (options.lake !== undefined) {
    lakeInternalsOf(options.lake);
    await internals.join(options.lake);
  }
  const leave = reports.listen(listenerOf(options));
  const parent = resolve(options.temporaryDirectory ?? tmpdir());
  const spoolDirectory = await mkdtemp(join(parent, 'edrlake-events-')).catch((cause: unknown) => {
    throw new EdrlakeError('LAKE_UNWRITABLE', `no temporary folder can be made in ${parent}`, {
      cause,
      hint: 'Give temporaryDirectory, a folder that can be written.',
    });
  });
  try {
    yield* pagesIn<Event>(spoolDirectory, internals, options);
  } finally {
    leave();
    await rm(spoolDirectory, { recursive: true, force: true });
  }
}

async function* pagesIn<Event extends object>(
  spoolDirectory: string,
  { connection, dataset, concurrency, clock, random }: SourceInternals,
  options: EventsOptions,
): AsyncGenerator<EventPage<Event>, void, void> {
  const [{ planExport }, pager, { recordShapeOf }] = await Promise.all([
    import('@edrlake/runner'),
    import('@edrlake/pager'),
    import('@edrlake/flattener'),
  ]);
  const [signal, emit] = [signalOf(options), listenerOf(options)];
  const request = { axis: options.axis ?? 'event', ranges: [{ range: rangeOf(options) }], scope: scopeOf(options) };
  const { source } = connection;
  const { windowPlan, uncounted } = await planExport(source, request, { clock, random, emit, signal });
  const empty = windowPlan.emptyWindows.map((window) => ({ window, count: 0 }));
  const windows = [...windowPlan.windows, ...empty].sort((a, b) => a.window.range.startMs - b.window.range.startMs);
  const incomplete: Incomplete[] = uncounted.map(({ range, message }) => ({ range, reason: message }));
  const fetched = pager.fetchWindows(source, windows, {
    spoolDirectory,
    shape: unchangedShape(recordShapeOf(dataset)),
    concurrency: Math.min(options.concurrency ?? concurrency, concurrency),
    maxSpooledBytes: options.maxSpooledBytes ?? DEFAULT_SPOOLED_BYTES,
    emit,
    signal,
  });
  const read = recordReader<Event>(pager.asDelivered, options.parse ?? JSON.parse);
  for await (const window of fetched) {
    incomplete.push(...shortcomingsOf(window));
    const came = window.verdict === 'failed' ? window.partial : window;
    if (came !== null) yield* pagesOf(came, source.idFields, read);
    await pager.removeWindow(spoolDirectory, window.window.id);
  }
  if (incomplete.length > 0) throw incompleteError(incomplete);
}

/** Each id of the window once: pages of several walks may hold the same records. */
async function* pagesOf<Event extends object>(
  { window, pages }: FetchedWindow,
  idFields: readonly string[],
  read: (page: SpooledPage) => Promise<PageRecords<Event>>,
): AsyncGenerator<EventPage<Event>, void, void> {
  const seen = new Set<string>();
  for (const page of pages) {
    const { events, unreadable } = await read(page);
    const fresh = events.filter((event) => {
      const id = identityOf(event, idFields);
      if (id === null) return true;
      const isNew = !seen.has(id);
      seen.add(id);
      return isNew;
    });
    yield { events: fresh, unreadable, range: window.range, windowId: window.id, pageNumber: page.pageNumber };
  }
}

function identityOf(event: object, idFields: readonly string[]): string | null {
  const members = event as Readonly<Record<string, unknown>>;
  const ids = idFields.map((field) => members[field]).map((id) => (id === null || id === undefined ? '' : String(id)));
  return ids.find((id) => id.trim() !== '') ?? null;
}

interface PageRecords<Event extends object> {
  readonly events: Event[];
  readonly unreadable: UnreadableRecord<Event>[];
}

/** Reads the lines of a spooled page back into records as they were delivered. */
function recordReader<Event extends object>(asDelivered: (line: Buffer) => Buffer, parse: (json: string) => unknown) {
  return async ({ path }: SpooledPage): Promise<PageRecords<Event>> => {
    const bytes = await readFile(path);
    const [events, unreadable]: [Event[], UnreadableRecord<Event>[]] = [[], []];
    for (let from = 0, to = bytes.indexOf(0x0a); to !== -1; from = to + 1, to = bytes.indexOf(0x0a, from)) {
      const line = bytes.subarray(from, to);
      const event = withoutExtra<Event>(parse(asDelivered(line).toString()));
      const reason = brokenReason(line);
      if (reason === null) events.push(event);
      else unreadable.push({ reason, fields: event });
    }
    return { events, unreadable };
  };
}

/** Why the record of a line could not be read; null for one that could. */
function brokenReason(line: Buffer): string | null {
  if (!line.subarray(0, BROKEN_BEGIN.length).equals(BROKEN_BEGIN)) return null;
  const { [SPOOL_MEMBERS.irregular]: text } = JSON.parse(line.toString()) as {
    readonly [SPOOL_MEMBERS.irregular]: string;
  };
  return (JSON.parse(text.slice(SPOOL_BROKEN.length)) as { readonly reason: string }).reason;
}

const BROKEN_BEGIN = Buffer.from(`{"${SPOOL_MEMBERS.irregular}":"${SPOOL_BROKEN}`);

/** A line repeats in a member of its own what no column takes. */
function withoutExtra<Event extends object>(record: unknown): Event {
  const { [SPOOL_MEMBERS.extra]: _, ...event } = record as Readonly<Record<string, unknown>>;
  return event as Event;
}

/** The same members, none of which is looked into or changed: only the identity and wrappers are recognised. */
function unchangedShape({ members, required }: RecordShape): RecordShape {
  return {
    members: members.map((member) =>
      'column' in member && required.includes(member.column ?? '')
        ? member
        : { name: member.name, kind: 'json', column: member.name },
    ),
    required,
  };
}

/** A range that was not delivered whole, and why. */
interface Incomplete {
  readonly range: TimeRange;
  readonly reason: string;
}

function shortcomingsOf(window: FetchedWindow | FailedWindow): Incomplete[] {
  const { range } = window.window;
  if (window.verdict === 'complete') return [];
  if (window.verdict === 'failed') return [{ range, reason: window.error.message }];
  const { count, distinctIds } = window;
  return [{ range, reason: `the API counts ${count} events and gave ${distinctIds} different ones` }];
}

const RANGES_NAMED = 5;

function incompleteError(incomplete: readonly Incomplete[]): EdrlakeError {
  const named = incomplete
    .slice(0, RANGES_NAMED)
    .map(({ range, reason }) => `${isoInstant(range.startMs)} to ${isoInstant(range.endMs)}: ${reason}`);
  const more = incomplete.length > RANGES_NAMED ? [`and ${incomplete.length - RANGES_NAMED} more`] : [];
  const count = incomplete.length === 1 ? '1 window is' : `${incomplete.length} windows are`;
  return new EdrlakeError('PARTLY_DONE', `${count} incomplete: ${[...named, ...more].join('; ')}`, {
    disposition: 'retry',
    context: { windows: incomplete.length },
    hint: 'Everything else was delivered. Read the named ranges again.',
  });
}
