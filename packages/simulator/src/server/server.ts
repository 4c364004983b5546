import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';
import { constants, gzip } from 'node:zlib';
import { EdrlakeError } from '@edrlake/core';
import type { Population } from '../world/population.ts';
import { type Answer, type DataRequest, problem } from './answer.ts';
import { answerLogin, type TokenBook } from './auth.ts';
import type { callLog, OpenCall } from './call-log.ts';
import { type Fault, type faultQueue, spoiltBody } from './faults.ts';
import type { LimitBook } from './limits.ts';
import type { ResolvedOptions } from './options.ts';
import type { CachedAnswer, PageCache } from './page-cache.ts';
import { isPosted, postedRoute, type Route, routeOf } from './routes.ts';

/** The data and settings that the server needs. */
export interface ServerParts {
  readonly options: ResolvedOptions;
  readonly population: Population;
  readonly answerData: (request: DataRequest) => Answer;
  readonly tokens: TokenBook;
  readonly limits: LimitBook;
  readonly cache: PageCache;
  readonly calls: ReturnType<typeof callLog>;
  readonly faults: ReturnType<typeof faultQueue>;
}

/** The answer as sent. */
interface Reply {
  readonly status: number;
  readonly contentType: string;
  readonly body: Buffer;
  readonly headers: Readonly<Record<string, string>>;
  /** Where the compressed body may be found, or left for the next time. */
  readonly cached?: CachedAnswer;
}

const BODY_LIMIT_BYTES = 65_536;
/** Smaller bodies are not worth compressing. */
const GZIP_MIN_BYTES = 1024;
/** Space for most compressed pages at once: many small steps cost more than the compression itself. */
const GZIP_CHUNK_BYTES = 524_288;
const gzipBody = promisify(gzip);

/** A listening server. */
export interface RunningServer {
  readonly url: string;
  /** Ends every connection, also in the middle of an answer. Resolves when the port is free. */
  close(): Promise<void>;
}

/** Listens on the loopback interface. @throws {EdrlakeError} `CONFIG_INVALID` when the port is taken */
export async function listen(parts: ServerParts): Promise<RunningServer> {
  const closing = new AbortController();
  // Each request that is being answered listens.
  setMaxListeners(0, closing.signal);
  const server = createServer((request, response) => {
    serve(parts, request, response, closing.signal).catch(() => response.destroy());
  });
  server.keepAliveTimeout = 30_000;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(notListening(parts.options.port, cause)));
    server.listen(parts.options.port, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return { url: `http://127.0.0.1:${port}`, close: () => closeServer(server, closing) };
}

function notListening(port: number, cause: NodeJS.ErrnoException): EdrlakeError {
  const problem =
    cause.code === 'EADDRINUSE'
      ? `another program listens on port ${port}`
      : `cannot listen on port ${port} (${cause.code ?? cause.message})`;
  return new EdrlakeError('CONFIG_INVALID', problem, { cause, hint: 'Choose another port; 0 takes a free one.' });
}

function closeServer(server: Server, closing: AbortController): Promise<void> {
  closing.abort();
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}

async function serve(
  parts: ServerParts,
  request: IncomingMessage,
  response: ServerResponse,
  closing: AbortSignal,
): Promise<void> {
  const { options, calls, faults, limits } = parts;
  response.sendDate = false;
  if (options.clockSkewMs !== null) response.setHeader('Date', new Date(options.clock.nowMs()).toUTCString());
  const path = request.url ?? '/';
  const posted = isPosted(path) && request.method === 'POST' ? postedRoute(path, (await bodyOf(request)) ?? '') : null;
  const route = posted ?? routeOf(options.apiPrefix, path);
  const isData = route.endpoint !== 'auth';
  const outcome = isData ? limits.enter() : 'within';
  const over = new AbortController();
  const leave = onceOnly(() => {
    if (isData) limits.leave();
  });
  const onClosing = () => over.abort();
  closing.addEventListener('abort', onClosing, { once: true });
  // Once its connection or its answer is over, the request is not running and nothing waits for it.
  response.once('close', () => {
    closing.removeEventListener('abort', onClosing);
    over.abort();
    leave();
  });
  const page = route.endpoint === 'events' ? Number(route.params.get('pageNumber') ?? 0) : null;
  const fault = faults.take(route.endpoint, page);
  const call = calls.open({
    endpoint: route.endpoint,
    method: request.method ?? '',
    path: route.path,
    params: Object.fromEntries(route.params),
    status: null,
    rows: 0,
    bodyBytes: 0,
    atMs: options.clock.nowMs(),
    fault: fault?.kind ?? null,
    running: limits.running,
  });
  if (options.latencyMs > 0) await pause(options, options.latencyMs, over.signal);
  if (fault?.kind === 'reset' && fault.at !== 'mid-body') return resetConnection(request);
  if (fault?.kind === 'stall' && fault.at !== 'mid-body') await pause(options, fault.stallMs, over.signal);
  const reply = await replyTo(parts, request, route, call, outcome, fault);
  const body = await encoded(request, response, reply);
  call.status = reply.status;
  call.bodyBytes = body.length;
  if (response.destroyed) return;
  const breaksOff = (fault?.kind === 'reset' || fault?.kind === 'stall') && fault.at === 'mid-body' && body.length > 1;
  if (!breaksOff) {
    leave();
    response.end(body);
    return;
  }
  const half = Math.floor(body.length / 2);
  await new Promise<void>((resolve) => response.write(body.subarray(0, half), () => resolve()));
  if (fault.kind === 'reset') return resetConnection(request);
  await pause(options, fault.stallMs, over.signal);
  leave();
  response.end(body.subarray(half));
}

/** Waits; null: until the request is over. Rejects when the request is over first. */
async function pause(options: ResolvedOptions, delayMs: number | null, over: AbortSignal): Promise<void> {
  if (delayMs !== null) return options.clock.sleep(delayMs, over);
  if (over.aborted) return;
  await new Promise<void>((resolve) => over.addEventListener('abort', () => resolve(), { once: true }));
}

function resetConnection(request: IncomingMessage): void {
  request.socket.resetAndDestroy();
}

async function replyTo(
  parts: ServerParts,
  request: IncomingMessage,
  route: Route,
  call: OpenCall,
  outcome: ReturnType<LimitBook['enter']>,
  fault: Fault | null,
): Promise<Reply> {
  const { options, tokens, limits } = parts;
  if (fault?.kind === 'status') return faultReply(parts, fault, route);
  if (fault?.kind === 'html') return { status: 200, contentType: 'text/html', body: htmlPage(200), headers: {} };
  if (fault?.kind === 'expired-token') tokens.expireAll();
  if (route.endpoint === 'auth') return loginReply(parts, request, call);
  const headers = { ...limits.headers(outcome), ...endingHeaders(options) };
  if (outcome !== 'within') return replyOf(problem(options.limitStatus, `${outcome} limit exceeded`), headers);
  if (!tokens.isValid(request.headers.authorization)) return replyOf(problem(401, 'Unauthorized'), headers);
  if (isPosted(route.path) && route.module !== 'fim') return replyOf(problem(400, 'expected a JSON object'), headers);
  if (request.method !== 'GET' && route.module !== 'fim') return replyOf(problem(405, 'only GET'), headers);
  const cached = dataAnswer(parts, request, route, fault);
  call.rows = cached.answer.rows;
  if (fault?.kind === 'late-arrival') parts.population.add(fault.addition);
  const status = fault?.kind === 'no-content' ? 204 : cached.answer.status;
  const reply = replyOf({ ...cached.answer, status, body: spoiltBody(cached.body, fault) }, headers);
  return fault === null ? { ...reply, cached } : reply;
}

function endingHeaders({ deprecation }: ResolvedOptions): Record<string, string> {
  return {
    ...(deprecation?.deprecation && { Deprecation: deprecation.deprecation }),
    ...(deprecation?.sunset && { Sunset: deprecation.sunset }),
  };
}

/** The answer from the cache, or a new one; with a fault always a new one that is not cached. */
function dataAnswer(parts: ServerParts, request: IncomingMessage, route: Route, fault: Fault | null): CachedAnswer {
  const key = `${parts.population.version} ${request.url} ${route.module === 'fim' ? route.params : ''}`;
  const known = fault === null ? parts.cache.get(key) : null;
  if (known !== null) return known;
  const answer = parts.answerData({ ...route, fault });
  const body = Buffer.isBuffer(answer.body) ? answer.body : Buffer.from(answer.body);
  const entry = { answer, body, gzipped: null };
  if (fault === null) parts.cache.put(key, entry);
  return entry;
}

function replyOf(answer: Answer, headers: Readonly<Record<string, string>>): Reply {
  return {
    status: answer.status,
    contentType: 'application/json',
    body: Buffer.isBuffer(answer.body) ? answer.body : Buffer.from(answer.body),
    headers: { ...headers, ...answer.headers },
  };
}

/** The text that a request carries; null where it is too long for any question. */
async function bodyOf(request: IncomingMessage): Promise<string | null> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > BODY_LIMIT_BYTES) return null;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** Logins are outside the limits and carry no limit headers. */
async function loginReply({ options, tokens }: ServerParts, request: IncomingMessage, call: OpenCall): Promise<Reply> {
  if (request.method !== 'POST') return replyOf(problem(405, 'only POST'), {});
  const sent = await bodyOf(request);
  if (sent === null) return replyOf(problem(413, 'the form is too large'), {});
  if (!(request.headers['content-type'] ?? '').startsWith('application/x-www-form-urlencoded')) {
    return replyOf(problem(400, 'expected application/x-www-form-urlencoded'), {});
  }
  const form = new URLSearchParams(sent);
  call.params = Object.fromEntries([...form].filter(([name]) => name !== 'password'));
  const header = (name: string) => request.headers[name]?.toString();
  const { status, contentType, body } = answerLogin(options, tokens, {
    path: new URL(request.url ?? '', 'http://simulator').pathname,
    form,
    clientId: header('clientid'),
    clientSecret: header('clientsecret'),
  });
  return { status, contentType, body: Buffer.from(body), headers: {} };
}

function faultReply({ limits }: ServerParts, fault: Fault & { kind: 'status' }, route: Route): Reply {
  const headers: Record<string, string> = {};
  if (fault.limitHeaders === true && route.endpoint !== 'auth') Object.assign(headers, limits.headers('within'));
  if (fault.toWaitSeconds !== undefined) {
    Object.assign(headers, { 'X-RateLimit-Remaining': '0', 'X-RateLimit-ToWait-Sec': String(fault.toWaitSeconds) });
  }
  if (fault.retryAfterSeconds !== undefined) headers['Retry-After'] = String(fault.retryAfterSeconds);
  switch (fault.body ?? 'json') {
    case 'plain':
      return { status: fault.status, contentType: 'text/plain', body: Buffer.from('Internal error'), headers };
    case 'html':
      return { status: fault.status, contentType: 'text/html', body: htmlPage(fault.status), headers };
    case 'empty':
      return { status: fault.status, contentType: 'text/plain', body: Buffer.alloc(0), headers };
    case 'json':
      return replyOf(problem(fault.status, 'simulated fault'), headers);
  }
}

function htmlPage(status: number): Buffer {
  return Buffer.from(`<html><head><title>${status}</title></head><body><h1>${status}</h1><hr>gateway</body></html>`);
}

/** Sets the status and the headers. @returns the body as sent, compressed where the client accepts that */
async function encoded(request: IncomingMessage, response: ServerResponse, reply: Reply): Promise<Buffer> {
  const accepts = String(request.headers['accept-encoding'] ?? '');
  const compress = /\bgzip\b/.test(accepts) && reply.body.length >= GZIP_MIN_BYTES;
  const body = compress ? await compressed(reply) : reply.body;
  response.statusCode = reply.status;
  for (const [name, value] of Object.entries(reply.headers)) response.setHeader(name, value);
  if (reply.status === 204) return Buffer.alloc(0);
  response.setHeader('Content-Type', reply.contentType);
  response.setHeader('Content-Length', body.length);
  response.setHeader('Vary', 'Accept-Encoding');
  if (compress) response.setHeader('Content-Encoding', 'gzip');
  return body;
}

async function compressed(reply: Reply): Promise<Buffer> {
  if (reply.cached !== undefined && reply.cached.gzipped !== null) return reply.cached.gzipped;
  const gzipped = await gzipBody(reply.body, { level: constants.Z_BEST_SPEED, chunkSize: GZIP_CHUNK_BYTES });
  if (reply.cached !== undefined) reply.cached.gzipped = gzipped;
  return gzipped;
}

function onceOnly(act: () => void): () => void {
  let done = false;
  return () => {
    if (!done) act();
    done = true;
  };
}
