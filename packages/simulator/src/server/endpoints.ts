import { type PageReader, pageReader, parseOrder } from '../query/ordering.ts';
import { includedOnly, parseAttributes } from '../query/projection.ts';
import { fimTokenTable, type TokenTable, tokenTable } from '../query/tokens.ts';
import { detailOf } from '../records/render-detail.ts';
import { fimRenderer } from '../records/render-fim.ts';
import { type EventWorld, listRenderer } from '../records/render-list.ts';
import { type Answer, type DataRequest, isAnswer, problem, questionOf, selectionOf, wholeNumber } from './answer.ts';
import { answerCount, answerTimeBuckets } from './counting.ts';
import { spoiltRows } from './faults.ts';
import type { ResolvedOptions } from './options.ts';

/** The data and settings that the endpoints need. */
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
  const ioc: Desk = {
    ...parts,
    tokens: tokenTable(parts.world, parts.options.timeTokens),
    reader: pageReader(parts.world, parts.options.resultWindow),
    render: listRenderer(parts.world),
  };
  const fim: Desk = { ...ioc, tokens: fimTokenTable(parts.world), render: fimRenderer(parts.world) };
  return (request) => {
    const desk = request.module === 'fim' ? fim : ioc;
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

function answerPage(desk: Desk, { params, fault }: DataRequest): Answer {
  const { pageSizeMax, resultWindow } = desk.options;
  const selection = selectionOf(desk, params);
  if (isAnswer(selection)) return selection;
  const pageNumber = wholeNumber(params, 'pageNumber', 0);
  const asked = wholeNumber(params, 'pageSize', 10);
  if (pageNumber === null) return problem(400, 'pageNumber: expected a whole number from 0');
  if (asked === null || asked < 1 || asked > pageSizeMax) return problem(400, `pageSize: expected 1 to ${pageSizeMax}`);
  if (fault?.kind === 'page-size-refused' && asked > fault.largest) {
    return problem(400, `pageSize must not exceed ${fault.largest}`);
  }
  const pageSize = fault?.kind === 'page-cap' ? Math.min(asked, fault.largest) : asked;
  if ((pageNumber + 1) * pageSize > resultWindow) {
    return problem(400, `Result window is too large, from + size must be less than or equal to: [${resultWindow}]`);
  }
  const order = parseOrder(desk.world, desk.tokens, params.get('sort'));
  if (typeof order === 'string') return problem(400, order);
  const read = (from: number, size: number) =>
    desk.reader.page(questionKey(desk, params), selection, order, from, size);
  const [from, behind] = [pageNumber * pageSize, (pageNumber + 1) * pageSize];
  if (fault?.kind === 'listed-twice') {
    const all = read(0, behind);
    if (typeof all === 'string') return problem(400, all);
    const listed = all.flatMap((row) => (row % fault.every === 0 ? [row, row] : [row]));
    return rowsAnswer(desk, params, listed.slice(from, behind), {});
  }
  const rows = read(from, pageSize);
  if (typeof rows === 'string') return problem(400, rows);
  return rowsAnswer(desk, params, spoiltRows(rows, fault), {});
}

/** Equal for two requests for pages of the same result. */
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

/**
 * `[…]` of the rows' texts, written one after another: joining a megabyte of text first would cost as much as creating
 * it.
 */
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

/** The event of a cursor; null at the start, undefined for a text that is not a cursor. */
function readCursor(text: string | null, size: number): number | null | undefined {
  if (text === null || text === '') return null;
  const match = /^\[\d+,"(\d+)"\]$/.exec(text);
  const index = Number(match?.[1]);
  return match !== null && index < size ? index : undefined;
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
