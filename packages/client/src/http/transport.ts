import { pipeline, Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { EdrlakeError, type ProxySettings, type Redact, systemClock } from '@edrlake/core';
import type { Dispatcher } from 'undici';
import type { HttpHeaders } from '../sliding-window/limit-headers.ts';
import { createAgent, type HttpTimeouts } from './agent.ts';
import { bodyFailure, connectionFailure, tooSlow } from './failed-exchange.ts';
import { describe, type RequestFacts } from './refusal.ts';

/** One request as it is sent. */
export interface HttpRequest {
  readonly facts: RequestFacts;
  /** The encoded query without the question mark; empty for none. */
  readonly query: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

/** An answer whose headers have come and whose body may still be on its way. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  /**
   * The decoded body, to be iterated once. @throws {EdrlakeError} `BODY_BROKEN` or `TIMEOUT`, both `retry`;
   * `RESPONSE_UNEXPECTED` with `context.encoding` where it is encoded in another way than was asked for.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Frees the connection and discards the rest of the body. Always call it. */
  discard(): void;
}

/** One pool of kept-alive connections to one origin. */
export interface Transport {
  /** @throws {EdrlakeError} `HOST_UNREACHABLE` or `TIMEOUT` when no answer came; the signal's reason when aborted. */
  send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer>;
  /** Closes all connections at once. */
  close(): Promise<void>;
}

/**
 * Redirects are ordinary answers: following one would send the token to another host. gzip is decoded with node:zlib,
 * because undici's own decompression is experimental in this version and prints a warning on stderr.
 */
export function createTransport(
  baseUrl: string,
  timeouts: HttpTimeouts,
  connections: number,
  proxy: ProxySettings | null,
  redact: Redact,
): Transport {
  const agent = createAgent(baseUrl, timeouts, connections, proxy);

  async function send(request: HttpRequest, signal: AbortSignal): Promise<HttpAnswer> {
    const { facts, query, headers, body } = request;
    let response: Dispatcher.ResponseData;
    try {
      response = await agent.request({
        origin: baseUrl,
        path: query === '' ? facts.path : `${facts.path}?${query}`,
        method: facts.method,
        headers: { accept: 'application/json', 'accept-encoding': 'gzip', 'user-agent': 'edrlake', ...headers },
        body,
        signal,
      });
    } catch (thrown) {
      signal.throwIfAborted();
      if (thrown instanceof EdrlakeError) throw thrown;
      throw connectionFailure(thrown, facts, redact);
    }
    // A body that is destroyed before its end reports that as an error event; without a listener it would end the
    // process.
    response.body.on('error', () => {});
    const stream = decoded(response, facts);
    return {
      status: response.statusCode,
      headers: response.headers,
      body: piecesOf(stream, { facts, timeouts, redact }, signal),
      discard: () => {
        stream.destroy();
      },
    };
  }

  return { send, close: () => agent.destroy() };
}

/**
 * Bytes that are decoded at once: every piece costs a turn of the event loop, and the default of 16 KiB triples the
 * time.
 */
const GUNZIP_BYTES = 262_144;

function decoded(response: Dispatcher.ResponseData, facts: RequestFacts): Readable {
  const header = response.headers['content-encoding'];
  const encoding = (typeof header === 'string' ? header : (header?.[0] ?? '')).trim().toLowerCase();
  if (encoding === '' || encoding === 'identity') return response.body;
  if (encoding === 'gzip' || encoding === 'x-gzip') {
    const gunzip = createGunzip({ chunkSize: GUNZIP_BYTES });
    // Its reader gets the error with its next piece. But while the reader is busy with the last piece there is no
    // listener, and an error event without a listener ends the process.
    gunzip.on('error', () => {});
    return pipeline(response.body, gunzip, () => {});
  }
  response.body.destroy();
  // The body alone is of no use: status and headers still say whether and when to ask again.
  const unreadable = new Readable({ read: () => {} });
  unreadable.on('error', () => {});
  return unreadable.destroy(
    new EdrlakeError('RESPONSE_UNEXPECTED', `${describe(facts)}: content-encoding "${encoding}", expected gzip`, {
      context: { host: facts.host, endpoint: facts.kind, encoding },
      hint: 'Check whether a proxy is in between.',
    }),
  );
}

/** A body that comes more slowly than this is given up: a page of 2 MB would take over half an hour. */
const MIN_BYTES_PER_MS = 1;

interface BodyRules {
  readonly facts: RequestFacts;
  readonly timeouts: HttpTimeouts;
  readonly redact: Redact;
}

/**
 * Each piece in time does not mean the whole in time, so the time spent waiting for pieces is added up.
 * It is real time, as that which undici measures between pieces.
 */
async function* piecesOf(
  stream: Readable,
  { facts, timeouts, redact }: BodyRules,
  signal: AbortSignal,
): AsyncGenerator<Uint8Array> {
  const pieces = stream[Symbol.asyncIterator]();
  let waitedMs = 0;
  let bytes = 0;
  try {
    for (;;) {
      let step: IteratorResult<Uint8Array>;
      const askedAtMs = systemClock.nowMs();
      try {
        step = await pieces.next();
      } catch (thrown) {
        signal.throwIfAborted();
        if (thrown instanceof EdrlakeError) throw thrown;
        throw bodyFailure(thrown, facts, redact);
      }
      if (step.done === true) return;
      waitedMs += systemClock.nowMs() - askedAtMs;
      bytes += step.value.byteLength;
      if (waitedMs > timeouts.bodyTimeoutMs && bytes < waitedMs * MIN_BYTES_PER_MS)
        throw tooSlow(facts, bytes, waitedMs);
      yield step.value;
    }
  } finally {
    stream.destroy();
  }
}

/** A whole body as text, at most `maxBytes` of it. What is cut off was not needed: the caller shows or refuses it. */
export async function readText(body: AsyncIterable<Uint8Array>, maxBytes: number): Promise<string> {
  const pieces: Uint8Array[] = [];
  let bodyBytes = 0;
  for await (const piece of body) {
    pieces.push(piece);
    bodyBytes += piece.byteLength;
    if (bodyBytes >= maxBytes) break;
  }
  return Buffer.concat(pieces).subarray(0, maxBytes).toString('utf8');
}
