import { EdrlakeError } from '@edrlake/core';
import type { Interval } from './parse-counts.ts';

/** The parameters that select events, shared by the list and count endpoints. */
export interface SelectionParams {
  /** Epoch seconds. The API ignores the time of day: `fromDate` and `toDate` select whole days. */
  readonly fromDate?: number | null;
  readonly toDate?: number | null;
  /** In the API's query language; the documented way to select by date and time. */
  readonly filter?: string | null;
  /** `true`: only events from the current state. */
  readonly state?: boolean | null;
}

/** A token and its direction. */
export type SortKey = Readonly<Record<string, 'asc' | 'desc'>>;

/** The parameters of `/events`. What is absent or null is not sent. */
export interface EventsParams extends SelectionParams {
  /** From 0. */
  readonly pageNumber?: number | null;
  /** The API's own default is 10. */
  readonly pageSize?: number | null;
  readonly sort?: readonly SortKey[] | null;
  /** Including some means excluding the rest. */
  readonly includeAttributes?: readonly string[] | null;
  readonly excludeAttributes?: readonly string[] | null;
}

/** The parameters of `/events/searchAfter`, which newer platforms have. */
export interface SearchAfterParams extends Omit<EventsParams, 'pageNumber'> {
  /** Where the previous page ended, exactly as it said; absent for the first page. */
  readonly searchAfterValues?: string | null;
}

/**
 * The parameters of `/events/count/time-buckets`, which newer platforms have. It respects only the time range of the
 * filter.
 */
export interface TimeBucketsParams extends SelectionParams {
  readonly bucketCount: number;
}

/** The parameters of `/events/count` without groups. */
export type CountParams = SelectionParams;

/** The parameters of `/events/count` with groups. */
export interface GroupedCountParams extends SelectionParams {
  /** At least one field. */
  readonly groupBy: readonly string[];
  /** Rows of the answer. */
  readonly limit?: number | null;
  readonly sort?: readonly SortKey[] | null;
  /** For date fields: the length of a bucket. */
  readonly interval?: Interval | null;
}

/** Parameter names and values as sent, in order, without those that are absent. */
export type WireParams = readonly (readonly [string, string | number | boolean | null | undefined])[];

/** The documented names of the parameters of `/events`. */
export function eventsWire(params: EventsParams): WireParams {
  return [
    ...selectionWire(params),
    ['pageNumber', params.pageNumber],
    ['pageSize', params.pageSize],
    ['sort', sortWire(params.sort)],
    ['include_attributes', listWire(params.includeAttributes)],
    ['exclude_attributes', listWire(params.excludeAttributes)],
  ];
}

/** The names of the parameters of `/events/searchAfter`. */
export function searchAfterWire(params: SearchAfterParams): WireParams {
  return [...eventsWire(params), ['searchAfterValues', params.searchAfterValues]];
}

/** The names of the parameters of `/events/count/time-buckets`. */
export function timeBucketsWire(params: TimeBucketsParams): WireParams {
  return [...selectionWire(params), ['bucketCount', params.bucketCount]];
}

/** The documented names of the parameters that select events. */
export function selectionWire(params: SelectionParams): WireParams {
  return [
    ['fromDate', params.fromDate],
    ['toDate', params.toDate],
    ['filter', params.filter],
    ['state', params.state],
  ];
}

/** The documented names of the parameters of a grouped count. */
export function groupedCountWire(params: GroupedCountParams): WireParams {
  return [
    ...selectionWire(params),
    ['groupBy', listWire(params.groupBy)],
    ['limit', params.limit],
    ['sort', sortWire(params.sort)],
    ['interval', params.interval],
  ];
}

function sortWire(sort: readonly SortKey[] | null | undefined): string | null {
  return sort === null || sort === undefined || sort.length === 0 ? null : JSON.stringify(sort);
}

function listWire(names: readonly string[] | null | undefined): string | null {
  return names === null || names === undefined || names.length === 0 ? null : names.join(',');
}

/** Spaces become `%20`: a `+` means a space only to servers that read queries as forms. */
export function encodeQuery(params: WireParams): string {
  const pairs: string[] = [];
  for (const [name, value] of params) {
    if (value !== null && value !== undefined && value !== '') pairs.push(`${name}=${encodePart(String(value))}`);
  }
  return pairs.join('&');
}

/**
 * Encodes one part of a path. A part that consists of dots would otherwise mean a folder.
 * @throws {EdrlakeError} `USAGE` for an empty part.
 */
export function encodePathPart(name: string, value: string): string {
  if (value === '') throw new EdrlakeError('USAGE', `the ${name} is empty`, { hint: `Give the ${name} of the event.` });
  return /^\.+$/.test(value) ? value.replaceAll('.', '%2E') : encodePart(value);
}

function encodePart(value: string): string {
  try {
    return encodeURIComponent(value);
  } catch {
    throw new EdrlakeError('USAGE', 'a parameter holds half of a surrogate pair and cannot be sent', {
      hint: 'Check the text for characters that were cut in two.',
    });
  }
}
