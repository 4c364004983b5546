/** Members by which an answer with a success status can say that its result is not whole. */
export const PARTIAL_MEMBERS: ReadonlySet<string> = new Set([
  'error',
  'errors',
  'timed_out',
  'terminated_early',
  '_shards',
]);

/**
 * Whether a member of an answer says that the result is not whole, though its status is a success: `error` or `errors`
 * with content, or Elasticsearch's `timed_out`, `terminated_early` and failed `_shards`. A count or a list beside it
 * is that of a part, often zero or empty.
 */
export function saysPartial(name: string, value: unknown): boolean {
  if (name === 'timed_out' || name === 'terminated_early') return value === true;
  if (name === '_shards') return isObject(value) && typeof value.failed === 'number' && value.failed > 0;
  if (name !== 'error' && name !== 'errors') return false;
  if (Array.isArray(value)) return value.length > 0;
  return isObject(value) ? Object.keys(value).length > 0 : Boolean(value);
}

/** Numbers of all results, by the names that envelopes of lists have for them; a search engine's own is in `hits`. */
const TOTALS = new Set([
  ...['total', 'totalCount', 'total_count', 'totalElements', 'totalRecords', 'totalResults', 'totalHits'],
  ...['count', 'numFound', 'value'],
]);
const MORE = new Set(['hasMore', 'has_more', 'hasNext', 'has_next', 'moreAvailable']);
const AROUND = new Set(['page', 'paging', 'pagination', 'meta', 'metadata']);

/**
 * Members beside a list that can say that more follows, so that an empty list is not the answer to what was asked.
 */
export const REST_MEMBERS: ReadonlySet<string> = new Set([...TOTALS, ...MORE, ...AROUND, 'last']);

/**
 * Whether a member beside an empty list says that the list should not be empty: a number of all results that is larger
 * than what came before, or that more follows. @param before records of the pages before; null where that is unknown
 */
export function saysMore(name: string, value: unknown, before: number | null): boolean {
  if (MORE.has(name)) return value === true;
  if (name === 'last') return value === false;
  if (AROUND.has(name) || ((name === 'total' || name === 'hits') && isObject(value))) {
    return isObject(value) && Object.entries(value).some(([inner, found]) => saysMore(inner, found, before));
  }
  const isNumber = typeof value === 'number' || (typeof value === 'string' && /^\d+$/.test(value));
  return TOTALS.has(name) && before !== null && isNumber && Number(value) > before;
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
