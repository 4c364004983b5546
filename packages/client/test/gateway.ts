import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { EdrlakeError, type RunEvent, seededRandom } from '@edrlake/core';
import { onTestFinished } from 'vitest';
import { createGatewayClient, type GatewayClient, type GatewayClientOptions } from '../src/index.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';

export const PASSWORD = 'p&w%+ ö"1';
export const NEVER = new AbortController().signal;

/** A request as it arrived. */
export interface SeenRequest {
  readonly method: string;
  /** Not decoded. */
  readonly path: string;
  readonly query: URLSearchParams;
  readonly rawQuery: string;
  readonly headers: IncomingMessage['headers'];
  readonly body: string;
}

export type Reply = (request: SeenRequest, response: ServerResponse) => void;

export interface Gateway {
  readonly url: string;
  readonly host: string;
  readonly seen: SeenRequest[];
  /** Requests of the data endpoints and of `/auth`. */
  data(): SeenRequest[];
  logins(): SeenRequest[];
  connections(): number;
}

export interface GatewayBehaviour {
  /** Answers to `/auth` in order, the last one for all later requests. Default: a token of four hours. */
  readonly auth?: readonly Reply[];
  /** Answers to all other requests in order, the last one for all later ones. */
  readonly data?: readonly Reply[];
}

/** A real server on loopback, closed when the test ends. */
export async function startGateway(behaviour: GatewayBehaviour = {}): Promise<Gateway> {
  const auth = [...(behaviour.auth ?? [grantToken()])];
  const data = [...(behaviour.data ?? [json('[]')])];
  const seen: SeenRequest[] = [];
  let connections = 0;
  const server = createServer((request, response) => {
    const pieces: Buffer[] = [];
    request.on('data', (piece: Buffer) => pieces.push(piece));
    request.on('end', () => {
      const [path = '', rawQuery = ''] = (request.url ?? '').split('?');
      const record: SeenRequest = {
        method: request.method ?? '',
        path,
        rawQuery,
        query: new URLSearchParams(rawQuery),
        headers: request.headers,
        body: Buffer.concat(pieces).toString('utf8'),
      };
      seen.push(record);
      const replies = path.startsWith('/auth') ? auth : data;
      const reply = replies.length > 1 ? replies.shift() : replies[0];
      reply?.(record, response);
    });
  });
  server.on('connection', () => {
    connections++;
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    host: `127.0.0.1:${port}`,
    seen,
    data: () => seen.filter(({ path }) => !path.startsWith('/auth')),
    logins: () => seen.filter(({ path }) => path.startsWith('/auth')),
    connections: () => connections,
  };
}

export interface TestClient {
  readonly client: GatewayClient;
  readonly clock: FakeClock;
  readonly events: RunEvent[];
}

/** A client in virtual time, closed when the test ends. */
export function connect(
  url: string,
  options: Partial<GatewayClientOptions> = {},
  clock = createFakeClock(),
): TestClient {
  const events: RunEvent[] = [];
  const client = createGatewayClient(
    { baseUrl: url, username: 'reader', password: PASSWORD, ...options },
    { clock, random: seededRandom(7), emit: (event) => events.push(event) },
  );
  onTestFinished(() => client.close());
  return { client, clock, events };
}

export function jwt(claims: object): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  return `${part({ alg: 'RS256' })}.${part(claims)}.c2lnbmF0dXJl`;
}

/** Each login gets a token of its own, without `exp` unless given. */
export function grantToken(claims: (nth: number) => object = (nth) => ({ sub: 'reader', nth })): Reply {
  let nth = 0;
  return (_, response) => {
    nth++;
    response.writeHead(201, { 'content-type': 'text/plain' }).end(jwt(claims(nth)));
  };
}

export function json(body: string, headers: Record<string, string> = {}): Reply {
  return status(200, body, { 'content-type': 'application/json', ...headers });
}

export function status(code: number, body = '', headers: Record<string, string | string[]> = {}): Reply {
  return (_, response) => {
    response.writeHead(code, headers).end(body);
  };
}

/** Accepts the request and drops the connection, after `sent` of a body that was promised to be longer. */
export function reset(sent: string | null = null): Reply {
  return (_, response) => {
    if (sent === null) {
      response.destroy();
      return;
    }
    response.writeHead(200, { 'content-length': String(sent.length + 100) });
    response.write(sent, () => response.destroy());
  };
}

/** Reads a body to its end. */
export async function textOf(body: AsyncIterable<Uint8Array>): Promise<string> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  return Buffer.concat(pieces).toString('utf8');
}

/** The error with which a call failed. */
export async function failureOf(work: Promise<unknown>): Promise<EdrlakeError> {
  const outcome = await work.then(
    (value) => ({ value }),
    (thrown: unknown) => ({ thrown }),
  );
  if ('thrown' in outcome && outcome.thrown instanceof EdrlakeError) return outcome.thrown;
  throw new EdrlakeError('BUG', `expected an EdrlakeError, found ${JSON.stringify(outcome)}`, {
    cause: 'thrown' in outcome ? outcome.thrown : undefined,
  });
}

/** All texts of an error that a log could show, including its causes. */
export function everythingOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const own = error instanceof EdrlakeError ? [JSON.stringify(error.context), error.hint ?? ''] : [];
  return [error.message, error.stack ?? '', ...own, JSON.stringify(error), everythingOf(error.cause ?? '')].join('\n');
}
