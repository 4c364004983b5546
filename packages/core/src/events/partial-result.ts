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

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null;
}
