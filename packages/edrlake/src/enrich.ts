import type { EnrichReport } from '@edrlake/runner';
import { type ExportCallOptions, exporting } from './export.ts';
import { CALL_CHECKS, COUNT, checkArgument, checkOptions, TEXT } from './input/checks.ts';
import type { CallOptions } from './input/options.ts';
import type { Lake } from './lake/types.ts';
import type { Source } from './source.ts';

/** Which stored events get their details, and what that may cost. */
export interface EnrichOptions extends CallOptions, Pick<ExportCallOptions, 'concurrency' | 'runId'> {
  /** A condition on `events`, in SQL, for example `score >= 5`. Each event that it selects costs a request. */
  readonly where: string;
  /** Events to ask for at most, the newest. Default: all. */
  readonly limit?: number;
  /** Requests to send at most, repeated ones included. Default: as many as it takes. */
  readonly maxRequests?: number;
}

/**
 * Asks the API for the details of stored events that have none yet, one by one, the newest first; as `edrlake enrich`.
 * What the details add fills empty columns, and `extra`; nothing that is stored changes. Events that the API does not
 * have are not asked for again for 30 days. Safe to interrupt and to repeat: what was committed stays, and the next
 * call goes on with what is left. Needs DuckDB.
 *
 * `outcome` of the report is `partly` where events are left, because of a limit or of failed requests: call again.
 * @throws {EdrlakeError} `USAGE` for an API without details, `QUERY_FAILED` for a condition that is none, and as
 * `backfill`
 * @example
 * await backfill(lake, source, { from: '2020-08-17', to: '2020-08-17' });
 * const { enriched, left } = await enrich(lake, source, { where: 'score >= 5', maxRequests: 50 });
 * console.log(`${enriched} events got details, ${left} are left`);
 */
export async function enrich(lake: Lake, source: Source, options: EnrichOptions): Promise<EnrichReport> {
  checkOptions('enrich', options, {
    ...CALL_CHECKS,
    limit: COUNT,
    maxRequests: COUNT,
    concurrency: COUNT,
    runId: TEXT,
  });
  const { where, limit = null, maxRequests = null } = options;
  checkArgument('enrich', 'where', where, TEXT);
  const runner = await import('@edrlake/runner');
  return exporting('enrich', lake, source, options, (ends, { concurrency }, services) =>
    runner.enrich(ends, { where, limit, maxRequests, concurrency }, services),
  );
}
