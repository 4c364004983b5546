import type { Dataset, EventSource, PageReader, Pagination } from '@edrlake/core';
import { defineTables, type TablesDefinition } from './define-tables.ts';

/** An API that can count and page the events of a query. What is left out it does not have. */
export interface EventApi
  extends Pick<EventSource, 'name' | 'pageSize' | 'maxResultWindow' | 'count'>,
    Partial<Pick<EventSource, 'histogram' | 'cursor' | 'serverClock' | 'pageSizing' | 'concurrency'>> {
  /** As `EventSource.page`, always with the size and the order of the page. */
  page<T>(
    query: Parameters<EventSource['page']>[0],
    pageNumber: number,
    read: PageReader<T>,
    signal: AbortSignal,
    pagination: Pagination,
  ): Promise<T>;
  /** As `EventSource.groups`. */
  readonly groups?: EventSource['groups'];
}

/** A dataset and the API behind it. */
export interface SourcedDataset<Access> extends Dataset {
  /** Opens the API for an account. The caller exports from it into a lake of this dataset. */
  readonly source: (access: Access) => EventSource;
}

/**
 * Makes a dataset of any API that can count and page.
 * @throws {EdrlakeError} as `defineTables`
 * @example
 * // An API without events: see `examples/own-dataset.ts` for one that is asked over HTTP.
 * const doors = defineDataset({
 *   name: 'doors',
 *   identity: 'uuid',
 *   times: { event: 'opened', processed: 'received' },
 *   tables: { events: { columns: [field('door', 'text', 'door.name', 'name of the door')], sortBy: ['door'] } },
 *   source: (name: string) => ({
 *     name,
 *     pageSize: 100,
 *     maxResultWindow: 1_000,
 *     count: async () => 0,
 *     page: async (_query, _pageNumber, read) => read(Readable.from(['[]'])),
 *   }),
 * });
 * const own = await openLake(directory, { dataset: doors });
 * const { outcome } = await backfill(own, await connect({ dataset: doors, access: 'front door' }), {
 *   from: '2020-08-17',
 *   to: '2020-08-17',
 * });
 * await own.close();
 */
export function defineDataset<Access>({
  source,
  ...definition
}: TablesDefinition & { readonly source: (access: Access) => EventApi }): SourcedDataset<Access> {
  return { ...defineTables(definition), source: (access) => sourceOf(source(access), definition.identity) };
}

function sourceOf(api: EventApi, identity: string): EventSource {
  const { pageSize, pageSizing, serverClock, concurrency } = api;
  return {
    name: api.name,
    maxResultWindow: api.maxResultWindow,
    get pageSize() {
      return api.pageSize;
    },
    idFields: identity.split(' '),
    ...(pageSizing !== undefined && { pageSizing }),
    ...(serverClock !== undefined && { serverClock }),
    ...(concurrency !== undefined && { concurrency }),
    count: (query, signal) => api.count(query, signal),
    // Without groups the planner says which millisecond holds too many events.
    groups: api.groups ?? (async () => []),
    histogram: api.histogram ?? null,
    cursor: api.cursor ?? null,
    page: (query, pageNumber, read, signal, pagination = { pageSize, reversed: false }) =>
      api.page(query, pageNumber, read, signal, pagination),
  };
}
