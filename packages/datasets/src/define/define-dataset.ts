import { type Dataset, EdrlakeError, type EventSource, type PageReader, type Pagination } from '@edrlake/core';
import { defineTables, type TablesDefinition } from './define-tables.ts';
import { refuseShapes } from './refuse-shapes.ts';

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
export function defineDataset<Access>(
  given: TablesDefinition & { readonly source: (access: Access) => EventApi },
): SourcedDataset<Access> {
  refuseShapes(given);
  const { source, ...definition } = given;
  if (typeof source !== 'function') {
    throw new EdrlakeError('CONFIG_INVALID', `the dataset "${given.name}" cannot work: source: expected a function`, {
      hint: 'It opens the API: (access) => ({ name, pageSize, maxResultWindow, count, page }).',
    });
  }
  return { ...defineTables(definition), source: (access) => sourceOf(source(access), definition.identity) };
}

/** What every API of a dataset needs: without it, a run would fail in the middle. */
function refuseApi(api: Partial<EventApi> | undefined): void {
  const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) > 0;
  const faults = [
    ...(typeof api?.name === 'string' && api.name !== '' ? [] : ['name: expected a text']),
    ...(isCount(api?.pageSize) ? [] : ['pageSize: expected a whole number above 0']),
    ...(isCount(api?.maxResultWindow) ? [] : ['maxResultWindow: expected a whole number above 0']),
    ...(typeof api?.count === 'function' ? [] : ['count: expected a function']),
    ...(typeof api?.page === 'function' ? [] : ['page: expected a function']),
  ];
  if (faults.length === 0) return;
  throw new EdrlakeError('CONFIG_INVALID', `the source of a dataset cannot work: ${faults.join('; ')}`, {
    hint: 'Correct what its function source returns; docs/datasets.md has an example.',
  });
}

function sourceOf(api: EventApi, identity: string): EventSource {
  refuseApi(api);
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
