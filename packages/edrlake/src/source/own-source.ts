import type { EventSource } from '@edrlake/core';
import type { SourcedDataset } from '@edrlake/datasets';
import type { SourceConnection } from '@edrlake/runner';

/** How to reach the API of a dataset of your own. */
export interface OwnSourceSettings<Access> {
  /** Made by `defineDataset`. */
  readonly dataset: SourcedDataset<Access>;
  /** What `source` of the dataset takes: an address, an account, a client. */
  readonly access: Access;
  /** Requests at once. Default 2. */
  readonly concurrency?: number;
}

/**
 * The API of a dataset of your own. It limits its rate and retries by itself; here its calls are only counted.
 */
export function openOwnSource<Access>({ dataset, access }: OwnSourceSettings<Access>): SourceConnection {
  let calls = 0;
  const api = dataset.source(access);
  const counted = <Args extends readonly unknown[], T>(call: (...args: Args) => T) => {
    return (...args: Args): T => {
      calls += 1;
      return call(...args);
    };
  };
  const { histogram, cursor } = api;
  // The others are left to the prototype: the size of a page may change while it is used.
  const source: EventSource = Object.assign(Object.create(api) as EventSource, {
    count: counted(api.count),
    groups: counted(api.groups),
    page: counted(api.page) as EventSource['page'],
    histogram: histogram && counted(histogram),
    cursor: cursor && { ...cursor, page: counted(cursor.page) as typeof cursor.page },
  });
  return { source, requestsMade: () => calls };
}
