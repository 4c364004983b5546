import type { EdrlakeError } from './errors.ts';

/**
 * Whether the platform seems to know no processing times: it refuses to count by them, or to sort by them. A page that
 * is refused after its count was answered has another cause, such as its size.
 */
export function refusesProcessedTime({ code, context }: EdrlakeError): boolean {
  return code === 'SORT_REJECTED' || (code === 'FILTER_REJECTED' && context.endpoint !== 'events');
}
