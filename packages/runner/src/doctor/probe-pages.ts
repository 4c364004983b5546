import type { GatewayClient } from '@edrlake/client';
import { EdrlakeError, type TimeRange, toEdrlakeError } from '@edrlake/core';
import type { ConnectionSettings } from '../connect/connect.ts';
import type { Services } from '../run/types.ts';
import { type CheckResult, failure, ok, warn } from './check-result.ts';
import { rangeFilter } from './probe-capabilities.ts';

/** Used if the requested range has less than a page of events: no agent is older than this. */
const ALL_TIME_FROM_MS = Date.UTC(2010, 0, 1);

/** The page size without a setting. */
const USUAL_PAGE_SIZE = 1_000;

/** Sizes to try after a refusal that names none. */
const MAX_REFUSALS = 4;

/**
 * Whether pages have the requested size and order. Costs one page of the configured size, which is not stored, and one
 * count if the range has less than a page.
 * @param counted events of the range, as counted just now
 */
export async function checkPages(
  client: GatewayClient,
  settings: ConnectionSettings,
  token: string,
  { range, counted }: { readonly range: TimeRange; readonly counted: number },
  services: Services,
): Promise<CheckResult> {
  const wanted = settings.pageSize ?? USUAL_PAGE_SIZE;
  try {
    const { filter, expected } = await enoughEvents(client, token, { range, counted }, wanted, services);
    let pageSize = wanted;
    for (let refusals = 0; ; refusals++) {
      const params = { filter, pageNumber: 0, pageSize, sort: [{ [token]: 'asc' as const }] };
      try {
        const given = await client.events(params, countRecords, services.signal);
        return verdict(wanted, pageSize, given, expected);
      } catch (thrown) {
        const { code, context } = toEdrlakeError(thrown);
        if (code !== 'PAGE_SIZE_REFUSED' || refusals >= MAX_REFUSALS || pageSize === 1) throw thrown;
        const named = context.largestPageSize;
        pageSize = typeof named === 'number' ? named : Math.max(1, Math.floor(pageSize / 2));
      }
    }
  } catch (thrown) {
    return failure('pages', thrown);
  }
}

function verdict(wanted: number, asked: number, given: number, expected: number): CheckResult {
  if (asked < wanted) {
    const found = `pages of ${wanted} events are refused, pages of ${asked} are given`;
    return warn('pages', found, `Set --page-size ${asked}: every run would find it out again.`);
  }
  if (given === wanted) return ok('pages', `of ${wanted} events, as asked for`);
  if (given >= expected)
    return ok('pages', `all ${given} events fit on one page; too few to tell whether ${wanted} would`);
  const found = `a page holds ${given} events where ${wanted} were asked for and ${expected} are counted`;
  return warn('pages', found, `Set --page-size ${Math.max(1, given)}: the gateway gives no more.`);
}

/** A selection that fills a page, if there is one. */
async function enoughEvents(
  client: GatewayClient,
  token: string,
  { range, counted }: { readonly range: TimeRange; readonly counted: number },
  wanted: number,
  { clock, signal }: Services,
): Promise<{ readonly filter: string; readonly expected: number }> {
  const filter = rangeFilter('event', token, range);
  if (counted >= wanted) return { filter, expected: counted };
  const allTime = rangeFilter('event', token, { startMs: ALL_TIME_FROM_MS, endMs: clock.nowMs() });
  const expected = await client.count({ filter: allTime }, signal);
  return expected > counted ? { filter: allTime, expected } : { filter, expected: counted };
}

/** The number of records on a page. The text of the page is not kept. */
async function countRecords(body: AsyncIterable<Uint8Array>): Promise<number> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  const text = Buffer.concat(pieces).toString();
  let page: unknown;
  try {
    page = JSON.parse(text);
  } catch {
    const lines = text.trim().split('\n');
    if (lines.length > 1 && lines.every(isObjectText)) return lines.length;
    throw new EdrlakeError('BODY_BROKEN', 'expected a page of events as JSON, found something else', {
      disposition: 'retry',
      hint: 'Check whether a proxy is in between.',
    });
  }
  if (Array.isArray(page)) return page.length;
  const { hits } = (page ?? {}) as { readonly hits?: object | null };
  const list = [page, hits].flatMap((value) => Object.values(value ?? {})).find((value) => Array.isArray(value));
  if (Array.isArray(list)) return list.length;
  return text.includes('"dateTime"') ? 1 : 0;
}

/** Parses one line of a page that has a record on each line instead of an array. */
function isObjectText(line: string): boolean {
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === 'object' && value !== null && !Array.isArray(value);
  } catch {
    return false;
  }
}
