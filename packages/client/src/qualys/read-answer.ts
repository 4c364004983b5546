import type { Redact } from '@edrlake/core';
import { contentFailure } from '../http/failed-exchange.ts';
import type { RequestFacts } from '../http/refusal.ts';
import { type HttpAnswer, readText } from '../http/transport.ts';
import { readCount } from './parse-counts.ts';
import { cutSingleEvent } from './single-event.ts';

/** A grouped count or one event is far smaller; more means that the answer is something else. */
const MAX_TEXT_BYTES = 64 * 1024 * 1024;

/** Makes a value of an answer, or an error that says whether to ask again. */
export type ReadAnswer<T> = (answer: HttpAnswer, facts: RequestFacts) => Promise<T>;

/**
 * Reads an answer to a count. An answer without a number (an empty body, text, JSON of another shape) is broken and
 * requested again like a broken page: a gateway whose search service restarts answers like that. Only a plain count
 * where groups or buckets were asked for is final, because a platform that ignores a parameter ignores it every time.
 */
export function countAnswer<T>(pick: (answer: unknown) => T | null, redact: Redact): ReadAnswer<T> {
  return async ({ body }, facts) => {
    const text = await textOf(body);
    if (text === '') throw contentFailure('BODY_BROKEN', 'expected a count, found an empty body', text, facts, redact);
    const answer = jsonOf(text, facts, redact);
    const found = pick(answer);
    if (found !== null) return found;
    const disposition = readCount(answer) === null ? 'retry' : 'stop';
    throw contentFailure('RESPONSE_UNEXPECTED', 'an answer of unknown shape', text, facts, redact, disposition);
  };
}

/** Reads one event; null where the answer has none. */
export function eventAnswer(redact: Redact): ReadAnswer<{ readonly event: string | null }> {
  return async ({ status, body }, facts) => {
    const text = await textOf(body);
    if (text === '' && status === 204) return { event: null };
    if (text === '') throw contentFailure('BODY_BROKEN', 'expected an event, found an empty body', '', facts, redact);
    jsonOf(text, facts, redact);
    return { event: cutSingleEvent(text) };
  };
}

/** A whole body without leading and trailing white space and byte order mark. */
async function textOf(body: HttpAnswer['body']): Promise<string> {
  return (await readText(body, MAX_TEXT_BYTES)).trim();
}

function jsonOf(text: string, facts: RequestFacts, redact: Redact): unknown {
  try {
    return JSON.parse(text);
  } catch {
    throw contentFailure('BODY_BROKEN', 'the answer is not JSON', text, facts, redact);
  }
}

/**
 * The bytes of a page; `[]` for 204, which means that nothing was found, if it comes twice (see `sendRequest`). Status
 * 200 with an empty body proves nothing.
 */
export async function* pageBody(
  { status, body }: HttpAnswer,
  facts: RequestFacts,
  redact: Redact,
): AsyncGenerator<Uint8Array> {
  let isEmpty = true;
  for await (const piece of body) {
    if (piece.byteLength === 0) continue;
    isEmpty = false;
    yield piece;
  }
  if (!isEmpty) return;
  if (status !== 204) throw contentFailure('BODY_BROKEN', 'expected a page, found an empty body', '', facts, redact);
  yield Buffer.from('[]');
}
