import {
  BUCKET_LIMIT,
  type GroupField,
  groupsOf,
  histogramJson,
  histogramOf,
  mapJson,
  parseInterval,
} from '../query/grouping.ts';
import { countOf } from '../query/select.ts';
import type { TokenTable } from '../query/tokens.ts';
import type { EventWorld } from '../records/render-list.ts';
import { type Answer, type DataRequest, isAnswer, problem, selectionOf, wholeNumber } from './answer.ts';
import type { ResolvedOptions } from './options.ts';

/** The data and settings that counting needs. */
export interface CountingParts {
  readonly options: ResolvedOptions;
  readonly world: EventWorld;
  readonly tokens: TokenTable;
}

/** `GET /ioc/events/count`: a number, groups, or a histogram. */
export function answerCount(parts: CountingParts, { params, fault }: DataRequest): Answer {
  const offBy = fault?.kind === 'wrong-count' ? fault.offBy : 0;
  const selection = selectionOf(parts, params);
  if (isAnswer(selection)) return selection;
  const groupBy = params.get('groupBy');
  if (fault?.kind === 'zero-count') {
    return { status: 200, rows: 0, body: (groupBy ?? '') === '' ? '{"count":0}' : '{}' };
  }
  const intervalText = params.get('interval');
  const interval = intervalText === null ? null : parseInterval(intervalText);
  if (intervalText !== null && interval === null) return problem(400, `interval: cannot read "${intervalText}"`);
  if ((groupBy === null || groupBy === '') && interval === null) {
    return { status: 200, rows: 0, body: JSON.stringify({ count: Math.max(0, countOf(selection) + offBy) }) };
  }
  const limit = wholeNumber(params, 'limit', Number.MAX_SAFE_INTEGER);
  if (limit === null) return problem(400, 'limit: expected a whole number');
  const fields: GroupField[] = [];
  for (const name of (groupBy ?? 'dateTime').split(',')) {
    const token = parts.tokens.asField(name.trim());
    if (token === null) return problem(400, `groupBy: unknown token "${name}"`);
    fields.push({ token, interval });
  }
  const [first] = fields;
  if (fields.length === 1 && first?.token.kind === 'time' && interval !== null) {
    if (parts.options.histogramShape === 'unsupported') return problem(400, 'interval is not supported');
    const buckets = histogramOf(parts.world, selection, first.token.axis, interval);
    if (buckets === null) return problem(400, `Trying to create too many buckets. Must be at most: [${BUCKET_LIMIT}]`);
    if (buckets[0] !== undefined) buckets[0].count += offBy;
    return { status: 200, rows: 0, body: histogramJson(buckets.slice(0, limit), parts.options.histogramShape) };
  }
  const groups = groupsOf(parts.world, selection, fields);
  if (groups === null) return problem(400, 'too many groups');
  if (groups[0] !== undefined) groups[0][1] += offBy;
  const sorted = sortGroups(groups, params.get('sort'));
  if (typeof sorted === 'string') return problem(400, sorted);
  return { status: 200, rows: 0, body: mapJson(sorted.slice(0, limit)) };
}

/** `[{"count":"asc"}]` sorts by count, any other name by the group's value. */
function sortGroups(groups: [string, number][], sort: string | null): [string, number][] | string {
  if (sort === null || sort === '') return groups;
  const match = /^\s*\[?\s*\{\s*"([^"]+)"\s*:\s*"(asc|desc)"\s*\}\s*\]?\s*$/i.exec(sort);
  if (match === null) return 'sort: expected [{"count": "asc"}]';
  const sign = match[2]?.toLowerCase() === 'desc' ? -1 : 1;
  const byKey = (a: [string, number], b: [string, number]) => (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0);
  return match[1] === 'count'
    ? groups.sort((a, b) => sign * (a[1] - b[1]) || byKey(a, b))
    : groups.sort((a, b) => sign * byKey(a, b));
}

/**
 * Equal intervals of the requested days, or of the filter's time range within them; other parts of the filter are
 * ignored.
 */
export function answerTimeBuckets(parts: CountingParts, { params, fault }: DataRequest): Answer {
  if (!parts.options.timeBuckets) return problem(404, 'no such resource');
  const selection = selectionOf(parts, params);
  if (isAnswer(selection)) return selection;
  const bucketCount = wholeNumber(params, 'bucketCount', 10);
  if (bucketCount === null || bucketCount < 1 || bucketCount > BUCKET_LIMIT) {
    return problem(400, `bucketCount: expected 1 to ${BUCKET_LIMIT}`);
  }
  const { range, sequence } = selection;
  if (!Number.isFinite(range.startMs) || !Number.isFinite(range.endMs))
    return problem(400, 'fromDate and toDate are needed');
  const bucketMs = Math.max(1, Math.ceil((range.endMs - range.startMs) / bucketCount));
  const entries: [string, number][] = [];
  for (let startMs = range.startMs; startMs < range.endMs && entries.length < bucketCount; startMs += bucketMs) {
    const endMs = Math.min(range.endMs, startMs + bucketMs);
    const count = sequence.rankBefore(endMs, -1) - sequence.rankBefore(startMs, -1);
    entries.push([`${startMs}_${endMs}`, count]);
  }
  if (fault?.kind === 'wrong-count' && entries[0] !== undefined) entries[0][1] += fault.offBy;
  if (fault?.kind === 'zero-count') for (const entry of entries) entry[1] = 0;
  return { status: 200, rows: 0, body: mapJson(entries) };
}
