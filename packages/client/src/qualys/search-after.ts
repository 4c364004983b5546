import { type CursorPage, type EdrlakeError, type PageReader, saysMore, saysPartial } from '@edrlake/core';
import { readText } from '../http/transport.ts';
import type { HttpHeaders } from '../sliding-window/limit-headers.ts';
import { cutMember } from './single-event.ts';

/** Header names are lower-case here. */
const CURSOR_HEADERS = ['searchaftervalues', 'searchaftervalue'];
const CURSOR_MEMBERS = ['searchAfterValues', 'searchAfterValue'];

/** A page inside an object has to be read as a whole before its array can be extracted. */
const MAX_PAGE_BYTES = 256 * 1024 * 1024;

/**
 * Reads a page of `/events/searchAfter`: an array with the cursor in a header, streamed; or
 * `{"data": [...], "searchAfterValues": …}` (or one of the other names of the list), from which the array is extracted
 * as delivered. `read` sees an array in both cases, or the records of NDJSON.
 * @param isFirst whether no page came before, so that a total beside the list counts what should be in it
 * @param broken the error of an object that is not JSON or has no array
 */
export async function readCursorPage<T>(
  body: AsyncIterable<Uint8Array>,
  headers: HttpHeaders,
  read: PageReader<T>,
  broken: (found: string, text: string) => EdrlakeError,
  isFirst: boolean,
): Promise<CursorPage<T>> {
  const { firstByte, whole } = await peek(body);
  if (firstByte !== OPENING_BRACE) return { value: await read(whole), next: cursorOf(headers) };
  const text = (await readText(whole, MAX_PAGE_BYTES)).trim();
  const answer = parsed(text);
  if (answer !== null && Object.entries(answer).some(([member, value]) => saysPartial(member, value)))
    throw broken('the answer says that it is not the whole result', text);
  // Records one after the other, or a single one. The reader knows whether they are records, and whole.
  const isLines = answer === null ? /\}\s*\{/.test(text) : LIST_MEMBERS.every((member) => answer[member] === undefined);
  if (isLines) return { value: await read(piece(text)), next: cursorOf(headers) };
  const list = answer === null ? null : listOf(answer, text);
  if (answer === null || list === null)
    throw broken('the answer is neither a list of events nor an object with one', text);
  const isLacking = Object.entries(answer).some(([member, value]) => saysMore(member, value, isFirst ? 0 : null));
  if (isLacking && /^\[\s*\]$/.test(list))
    throw broken('the list is empty, though the answer says that more follows', text);
  const name = CURSOR_MEMBERS.find((member) => answer[member] !== undefined && answer[member] !== null);
  const value = await read(piece(list));
  return { value, next: name === undefined ? cursorOf(headers) : cursorText(answer[name], cutMember(text, name)) };
}

async function* piece(text: string): AsyncGenerator<Uint8Array> {
  yield Buffer.from(text);
}

/** The text of the list of events, as delivered; null where there is none. */
function listOf(answer: Readonly<Record<string, unknown>>, text: string): string | null {
  const name = LIST_MEMBERS.find((member) => Array.isArray(answer[member]));
  if (name !== undefined) return cutMember(text, name);
  const { hits } = answer;
  const isInside = typeof hits === 'object' && hits !== null && Array.isArray((hits as { hits?: unknown }).hits);
  return isInside ? cutMember(cutMember(text, 'hits'), 'hits') : null;
}

const LIST_MEMBERS = ['data', 'events', 'items', 'content', 'hits'];

const OPENING_BRACE = 0x7b;

function parsed(text: string): Readonly<Record<string, unknown>> | null {
  try {
    return JSON.parse(text) as Readonly<Record<string, unknown>>;
  } catch {
    return null;
  }
}

function cursorOf(headers: HttpHeaders): string | null {
  for (const name of CURSOR_HEADERS) {
    const value = headers[name];
    const text = (typeof value === 'string' ? value : value?.[0])?.trim();
    if (text !== undefined && text !== '') return text;
  }
  return null;
}

/**
 * A text is sent back without its quotes, a list as it was written: its numbers may have more digits than a number
 * here.
 */
function cursorText(value: unknown, json: string): string | null {
  const text = typeof value === 'string' ? value : json;
  return text === '' || text === '[]' ? null : text;
}

/** The first byte that is not white space (null for an empty body), and the body including that byte. */
async function peek(
  body: AsyncIterable<Uint8Array>,
): Promise<{ readonly firstByte: number | null; readonly whole: AsyncIterable<Uint8Array> }> {
  const pieces = body[Symbol.asyncIterator]();
  const seen: Uint8Array[] = [];
  let firstByte: number | undefined;
  while (firstByte === undefined) {
    const step = await pieces.next();
    if (step.done === true) break;
    seen.push(step.value);
    firstByte = step.value.find((byte) => byte > 0x20);
  }
  async function* whole(): AsyncGenerator<Uint8Array> {
    try {
      yield* seen;
      for (let step = await pieces.next(); step.done !== true; step = await pieces.next()) yield step.value;
    } finally {
      await pieces.return?.();
    }
  }
  return { firstByte: firstByte ?? null, whole: whole() };
}
