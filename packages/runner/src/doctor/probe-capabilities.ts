import { type GatewayClient, readHistogram, windowQql } from '@edrlake/client';
import { MS_PER_DAY, MS_PER_SECOND, NO_FILTER, type TimeAxis, type TimeRange, toEdrlakeError } from '@edrlake/core';
import type { ConnectionSettings } from '../connect/connect.ts';
import type { Services } from '../run/types.ts';
import { type CheckResult, fail, ok, warn } from './check-result.ts';

/** Whether counts can be grouped by time, and in which shape. */
export async function checkHistogram(
  client: GatewayClient,
  token: string,
  range: TimeRange,
  services: Services,
): Promise<CheckResult> {
  try {
    const { shape, values } = await client.groupedCount(
      { filter: rangeFilter('event', token, range), groupBy: [token], interval: '1d', limit: dayCount(range) },
      services.signal,
    );
    const histogram = readHistogram(values, MS_PER_DAY, range);
    if (histogram?.keyForm === null) return ok('histograms', 'yes; no event in this range shows in which form');
    if (histogram !== null) return ok('histograms', `yes, as ${shape} keyed by ${histogram.keyForm}`);
    return checkTimeBuckets(client, token, range, services, 'the answer is grouped, but not by equal steps of time');
  } catch (thrown) {
    return checkTimeBuckets(client, token, range, services, toEdrlakeError(thrown).message);
  }
}

/** Without counts grouped by time, time buckets may serve. They take no filter. */
async function checkTimeBuckets(
  client: GatewayClient,
  token: string,
  range: TimeRange,
  services: Services,
  refusal: string,
): Promise<CheckResult> {
  const params = {
    fromDate: Math.floor(range.startMs / MS_PER_SECOND),
    toDate: Math.floor((range.endMs - 1) / MS_PER_SECOND),
    filter: rangeFilter('event', token, range),
    bucketCount: dayCount(range),
  };
  const answer = await client.countTimeBuckets(params, services.signal).catch(() => null);
  if (answer !== null) return ok('histograms', 'as time buckets, for ranges of event time without a filter');
  return warn(
    'histograms',
    `no: ${refusal}`,
    'Nothing to do: planning uses plain counts, which costs a few more requests.',
  );
}

/** Whether the platform paginates by cursor. Cursors need fewer and larger windows than page numbers. */
export async function checkSearchAfter(
  client: GatewayClient,
  settings: ConnectionSettings,
  token: string,
  range: TimeRange,
  services: Services,
): Promise<CheckResult> {
  const isUsed = settings.walk === 'searchAfter';
  const lacking = (found: string) =>
    isUsed
      ? fail('pagination', `searchAfter is set, but ${found}`, 'Set --walk pages.')
      : ok('pagination', `by page numbers, up to ${client.maxResultWindow} events of one window; ${found}`);
  try {
    const params = { filter: rangeFilter('event', token, range), pageSize: 1, sort: [{ [token]: 'asc' as const }] };
    const { value, next } = await client.searchAfter(params, readPageText, services.signal);
    if (/^\s*\[\s*\]\s*$/.test(value))
      return ok('pagination', 'searchAfter exists; no events to tell whether it leads on');
    if (next === null) return lacking('searchAfter answers without a cursor');
    if (isUsed) return ok('pagination', 'by searchAfter');
    return ok(
      'pagination',
      'by page numbers; searchAfter exists too',
      'Set --walk search-after: larger windows need fewer requests.',
    );
  } catch (thrown) {
    const { context, message } = toEdrlakeError(thrown);
    return lacking(context.status === 404 ? 'searchAfter does not exist here' : `searchAfter failed: ${message}`);
  }
}

async function readPageText(body: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of body) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

/** Days that the range touches. */
function dayCount({ startMs, endMs }: TimeRange): number {
  return Math.ceil(endMs / MS_PER_DAY) - Math.floor(startMs / MS_PER_DAY);
}

/** The filter that selects a range by one spelling of its axis's token. */
export function rangeFilter(axis: TimeAxis, token: string, range: TimeRange): string {
  const timeTokens = { event: token, processed: token };
  return windowQql(
    { axis, range, cuts: [], scope: NO_FILTER },
    { timeTokens, typeToken: 'type', agentToken: 'asset.agentid' },
  );
}
