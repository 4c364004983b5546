import type { Endpoint } from './call-log.ts';
import { type Fault, spoiltRows } from './faults.ts';
import { isFilterProblem } from './filter-lexer.ts';
import {
  BUCKET_LIMIT,
  type GroupField,
  groupsOf,
  histogramJson,
  histogramOf,
  mapJson,
  parseInterval,
} from './grouping.ts';
import type { ResolvedOptions } from './options.ts';
import { type PageReader, pageReader, parseOrder } from './ordering.ts';
import { includedOnly, parseAttributes } from './projection.ts';
import { type EventWorld, listRenderer } from './render.ts';
import { detailOf } from './render-detail.ts';
import { countOf, type Question, type Selection, selectEvents } from './select.ts';
import { type TokenTable, tokenTable } from './tokens.ts';

/** What a data endpoint answers, before faults and compression. */
export interface Answer {
  readonly status: number;
  readonly body: Buffer | string;
  readonly rows: number;
  readonly headers?: Readonly<Record<string, string>>;
}

/** A data request that passed login and limits. */
export interface DataRequest {
  readonly endpoint: Endpoint;
  readonly params: URLSearchParams;
  /** Decoded parts of the path, for details. */
  readonly agentId: string;
  readonly eventId: string;
  readonly fault: Fault | null;
}

/** Everything the endpoints need to know. */
export interface EndpointParts {
  readonly options: ResolvedOptions;
  readonly world: EventWorld;
}

interface Desk extends EndpointParts {
  readonly tokens: TokenTable;
  readonly reader: PageReader;
  readonly render: (index: number) => string;
}

/** Answers data requests. */
export function dataEndpoints(parts: EndpointParts): (request: DataRequest) => Answer {
  const desk: Desk = {
    ...parts,
    tokens: tokenTable(parts.world, parts.options.timeTokens),
    reader: pageReader(parts.world, parts.options.resultWindow),
    render: listRenderer(parts.world),
  };
  return (request) => {
    switch (request.endpoint) {
      case 'events':
        return answerPage(desk, request);
      case 'search-after':
        return answerSearchAfter(desk, request);
      case 'count':
        return answerCount(desk, request);
      case 'time-buckets':
        return answerTimeBuckets(desk, request);
      case 'detail':
        return answerDetail(desk, request);
      default:
        return problem(404, 'no such resource');
    }
  };
}

/** A JSON error as the gateway writes it. */
export function problem(status: number, message: string): Answer {
  return { status, rows: 0, body: JSON.stringify({ errorCode: status, message }) };
}

/** The answer already made where a parameter is wrong. */
function isAnswer(value: object): value is Answer {
  return 'status' in value;
}

function questionOf(params: URLSearchParams): Question | Answer {
  const seconds: Record<'fromDate' | 'toDate', number | null> = { fromDate: null, toDate: null };
  for (const name of ['fromDate', 'toDate'] as const) {
    const text = params.get(name);
    if (text === null || text === '') continue;
    if (!/^\d{1,12}$/.test(text)) return problem(400, `${name}: expected epoch seconds, found "${text}"`);
    seconds[name] = Number(text);
  }
  const state = params.get('state');
  if (state !== null && state !== 'true' && state !== 'false') return problem(400, `state: found "${state}"`);
  return {
    filter: params.get('filter'),
    fromDateSeconds: seconds.fromDate,
    toDateSeconds: seconds.toDate,
    currentOnly: state === 'true',
  };
}

function selectionOf(desk: Desk, params: URLSearchParams): Selection | Answer {
  const question = questionOf(params);
  if (isAnswer(question)) return question;
  const selection = selectEvents(desk.world, desk.tokens, question);
  return isFilterProblem(selection)
    ? problem(400, `invalid filter at ${selection.at}: ${selection.problem}`)
    : selection;
}

function wholeNumber(params: URLSearchParams, name: string, missing: number): number | null {
  const text = params.get(name);
  if (text === null || text === '') return missing;
  return /^\d{1,9}$/.test(text) ? Number(text) : null;
}

function answerPage(desk: Desk, { params, fault }: DataRequest): Answer {
  const { pageSizeMax, resultWindow } = desk.options;
  const selection = selectionOf(desk, params);
  if (isAnswer(selection)) return selection;
  const pageNumber = wholeNumber(params, 'pageNumber', 0);
  const pageSize = wholeNumber(params, 'pageSize', 10);
  if (pageNumber === null) return problem(400, 'pageNumber: expected a whole number from 0');
  if (pageSize === null || pageSize < 1 || pageSize > pageSizeMax) {
    return problem(400, `pageSize: expected 1 to ${pageSizeMax}`);
  }
  if ((pageNumber + 1) * pageSize > resultWindow) {
    return problem(400, `Result window is too large, from + size must be less than or equal to: [${resultWindow}]`);
  }
  const order = parseOrder(desk.world, desk.tokens, params.get('sort'));
  if (typeof order === 'string') return problem(400, order);
  const rows = desk.reader.page(questionKey(desk, params), selection, order, pageNumber * pageSize, pageSize);
  if (typeof rows === 'string') return problem(400, rows);
  return rowsAnswer(desk, params, spoiltRows(rows, fault), {});
}

/** The same for two requests that ask for pages of the same result. */
function questionKey(desk: Desk, params: URLSearchParams): string {
  const named = ['fromDate', 'toDate', 'filter', 'state', 'sort'].map((name) => params.get(name));
  return JSON.stringify([desk.world.population.version, ...named]);
}

function rowsAnswer(
  desk: Desk,
  params: URLSearchParams,
  rows: readonly number[],
  headers: Readonly<Record<string, string>>,
): Answer {
  if (rows.length === 0 && desk.options.emptyAnswer === '204') return { status: 204, body: '', rows: 0, headers };
  const attributes = parseAttributes(params.get('include_attributes'), params.get('exclude_attributes'));
  const write = attributes === null ? desk.render : includedOnly(desk.render, attributes);
  return { status: 200, body: jsonArray(rows, write), rows: rows.length, headers };
}

/** `[…]` of the rows' texts, written one after another: joining a megabyte of text first would cost as much as making it. */
function jsonArray(rows: readonly number[], write: (index: number) => string): Buffer {
  let buffer = Buffer.allocUnsafe(64 + rows.length * 2048);
  let bytes = buffer.write('[', 0);
  for (const [at, index] of rows.entries()) {
    const text = write(index);
    if (bytes + text.length * 3 + 2 > buffer.length) {
      buffer = Buffer.concat([buffer.subarray(0, bytes)], buffer.length * 2 + text.length * 3);
    }
    if (at > 0) bytes += buffer.write(',', bytes);
    bytes += buffer.write(text, bytes);
  }
  bytes += buffer.write(']', bytes);
  return buffer.subarray(0, bytes);
}

function answerSearchAfter(desk: Desk, { params, fault }: DataRequest): Answer {
  const { searchAfter, pageSizeMax } = desk.options;
  if (searchAfter === 'unsupported') return problem(404, 'no such resource');
  const selection = selectionOf(desk, params);
  if (isAnswer(selection)) return selection;
  const pageSize = wholeNumber(params, 'pageSize', 10);
  if (pageSize === null || pageSize < 1 || pageSize > pageSizeMax) {
    return problem(400, `pageSize: expected 1 to ${pageSizeMax}`);
  }
  const order = parseOrder(desk.world, desk.tokens, params.get('sort'));
  if (typeof order === 'string') return problem(400, order);
  const cursor = readCursor(params.get('searchAfterValues'), desk.world.population.size);
  if (cursor === undefined) return problem(400, 'searchAfterValues: not a cursor of this service');
  const rows = desk.reader.after(selection, order, cursor, pageSize);
  if (rows === null) return problem(400, 'sort: searchAfter needs the time token of the range as its first key');
  const last = rows.at(-1);
  const next = last === undefined ? null : JSON.stringify([desk.world.population.timeOf(last), String(last)]);
  const spoilt = spoiltRows(rows, fault);
  if (searchAfter !== 'body') return rowsAnswer(desk, params, spoilt, next === null ? {} : { [searchAfter]: next });
  const answer = rowsAnswer(desk, params, spoilt, {});
  const tail = Buffer.from(`,"searchAfterValues":${next}}`);
  const data = answer.status === 204 ? Buffer.from('[]') : Buffer.from(answer.body);
  return { ...answer, status: 200, body: Buffer.concat([Buffer.from('{"data":'), data, tail]) };
}

/** The event a cursor stands at; null at the start, undefined for text that is no cursor. */
function readCursor(text: string | null, size: number): number | null | undefined {
  if (text === null || text === '') return null;
  const match = /^\[\d+,"(\d+)"\]$/.exec(text);
  const index = Number(match?.[1]);
  return match !== null && index < size ? index : undefined;
}

function answerCount(desk: Desk, { params, fault }: DataRequest): Answer {
  const offBy = fault?.kind === 'wrong-count' ? fault.offBy : 0;
  const selection = selectionOf(desk, params);
  if (isAnswer(selection)) return selection;
  const groupBy = params.get('groupBy');
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
    const token = desk.tokens.asField(name.trim());
    if (token === null) return problem(400, `groupBy: unknown token "${name}"`);
    fields.push({ token, interval });
  }
  const [first] = fields;
  if (fields.length === 1 && first?.token.kind === 'time' && interval !== null) {
    if (desk.options.histogramShape === 'unsupported') return problem(400, 'interval is not supported');
    const buckets = histogramOf(desk.world, selection, first.token.axis, interval);
    if (buckets === null) return problem(400, `Trying to create too many buckets. Must be at most: [${BUCKET_LIMIT}]`);
    if (buckets[0] !== undefined) buckets[0].count += offBy;
    return { status: 200, rows: 0, body: histogramJson(buckets.slice(0, limit), desk.options.histogramShape) };
  }
  const groups = groupsOf(desk.world, selection, fields);
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

/** Equal stretches of the asked days, or of the filter's time range within them; other parts of the filter do not count. */
function answerTimeBuckets(desk: Desk, { params, fault }: DataRequest): Answer {
  if (!desk.options.timeBuckets) return problem(404, 'no such resource');
  const selection = selectionOf(desk, params);
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
  return { status: 200, rows: 0, body: mapJson(entries) };
}

function answerDetail(desk: Desk, { params, agentId, eventId }: DataRequest): Answer {
  const question = questionOf(params);
  if (isAnswer(question)) return question;
  const { world, options } = desk;
  const index = world.identities.indexOf(eventId);
  const found =
    index !== null &&
    world.population.isVisible(index) &&
    world.attributes.machine(index).agentId === agentId &&
    (!question.currentOnly || world.attributes.isCurrent(index));
  if (!found) return problem(404, 'event not found');
  const detail = detailOf(world, index, JSON.parse(desk.render(index)));
  const shaped =
    options.detailShape === 'array' ? [detail] : options.detailShape === 'data' ? { data: detail } : detail;
  return { status: 200, rows: 1, body: JSON.stringify(shaped) };
}
