import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createSecureServer } from 'node:https';
import type { AddressInfo } from 'node:net';

/** The kind of a request: `groups` is a count with `groupBy`, `detail` one event. */
export type RequestKind = 'auth' | 'count' | 'groups' | 'events' | 'detail' | 'other';

/** A record as an object, or its text as it is sent, with the times that select it (ISO text). */
export type CaseEvent = Readonly<Record<string, unknown>> | RawEvent;

interface RawEvent {
  readonly at: string;
  readonly processed?: string;
  readonly raw: string | Uint8Array;
}

/** One request, for a scenario that answers it itself. */
export interface CaseRequest {
  readonly req: IncomingMessage;
  readonly res: ServerResponse;
  readonly url: URL;
  readonly params: URLSearchParams;
  readonly body: string;
  readonly kind: RequestKind;
  /** The number of this request among those of its kind, from 1. */
  readonly nth: number;
  /** Answers with a status, a body and `application/json`. */
  send(status: number, body: string | Uint8Array, headers?: Readonly<Record<string, string>>): void;
  /** The texts of the events that the parameters select, by time. */
  rows(params: URLSearchParams): (string | Uint8Array)[];
  /** A token that is valid for four hours. */
  token(): string;
}

/** The events of the gateway, and its faults. */
export interface Scenario {
  readonly events: readonly CaseEvent[];
  /** Called first for every request; true when it has answered. */
  readonly answer?: (request: CaseRequest) => boolean | Promise<boolean>;
  /** Certificate and key as PEM text: the gateway speaks TLS. */
  readonly tls?: { readonly cert: string; readonly key: string };
}

/** A gateway that listens on 127.0.0.1. */
export interface CaseGateway {
  readonly url: string;
  readonly port: number;
  /** Requests of a kind so far. */
  asked(kind: RequestKind): number;
  /** All requests so far, oldest first: the kind and the decoded path with its query. */
  readonly log: readonly string[];
  close(): Promise<void>;
}

interface Row {
  readonly event: number;
  readonly processed: number;
  readonly raw: string | Uint8Array;
}

/**
 * Starts a very small gateway for situations from practice: it logs in, counts, pages and shows one event, knows time
 * ranges and a type in filters, refuses grouped counts, and leaves everything else to the scenario.
 */
export async function startCaseGateway(scenario: Scenario): Promise<CaseGateway> {
  const rows = scenario.events.map(rowOf).sort((a, b) => a.event - b.event);
  const seen: Partial<Record<RequestKind, number>> = {};
  const log: string[] = [];
  const respond = async (req: IncomingMessage, res: ServerResponse) => {
    const url = new URL(req.url ?? '/', 'http://gateway');
    let body = '';
    for await (const piece of req) body += piece;
    const kind = kindOf(url);
    const nth = (seen[kind] ?? 0) + 1;
    seen[kind] = nth;
    log.push(`${kind} ${decodeURIComponent(req.url ?? '')}`);
    const request: CaseRequest = {
      req,
      res,
      url,
      params: url.searchParams,
      body,
      kind,
      nth,
      send: (status, text, headers = {}) => {
        res.writeHead(status, { 'content-type': 'application/json', ...headers });
        res.end(text);
      },
      rows: (params) => selected(rows, params).map(({ raw }) => raw),
      token,
    };
    if ((await scenario.answer?.(request)) !== true) answerPlainly(request, rows);
  };
  const listener = (req: IncomingMessage, res: ServerResponse) => {
    respond(req, res).catch((thrown: unknown) => res.destroy(thrown instanceof Error ? thrown : undefined));
  };
  const server = scenario.tls === undefined ? createServer(listener) : createSecureServer(scenario.tls, listener);
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  return {
    url: `${scenario.tls === undefined ? 'http' : 'https'}://127.0.0.1:${port}`,
    port,
    asked: (kind) => seen[kind] ?? 0,
    log,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

function answerPlainly({ kind, url, params, send }: CaseRequest, rows: readonly Row[]): void {
  if (kind === 'auth') {
    send(201, token(), { 'content-type': 'text/plain' });
  } else if (kind === 'count') {
    send(200, JSON.stringify({ count: selected(rows, params).length }));
  } else if (kind === 'groups') {
    send(400, '{"message":"groupBy is not supported here"}');
  } else if (kind === 'events') {
    const size = Number(params.get('pageSize') ?? 10);
    const page = Number(params.get('pageNumber') ?? 0);
    const texts = selected(rows, params)
      .slice(page * size, (page + 1) * size)
      .flatMap(({ raw }, index) => [Buffer.from(index === 0 ? '' : ','), Buffer.from(raw)]);
    send(200, Buffer.concat([Buffer.from('['), ...texts, Buffer.from(']')]));
  } else {
    const id = decodeURIComponent(url.pathname.split('/').at(-1) ?? '');
    const found = kind === 'detail' ? rows.find(({ raw }) => idOf(raw) === id) : undefined;
    send(found === undefined ? 404 : 200, found?.raw ?? '{"message":"not found"}');
  }
}

function kindOf({ pathname, searchParams }: URL): RequestKind {
  if (pathname === '/auth') return 'auth';
  if (/\/events\/count$/.test(pathname)) return searchParams.has('groupBy') ? 'groups' : 'count';
  if (/\/events$/.test(pathname)) return 'events';
  if (/\/events\/(count\/time-buckets|searchAfter)$/.test(pathname)) return 'other';
  return /\/events\/[^/]+\/[^/]+$/.test(pathname) ? 'detail' : 'other';
}

function rowOf(event: CaseEvent): Row {
  if ('raw' in event) {
    const { at, processed, raw } = event as RawEvent;
    return { event: instantOf(at), processed: instantOf(processed ?? at), raw };
  }
  const { dateTime, eventProcessedTime } = event as { dateTime?: unknown; eventProcessedTime?: unknown };
  return {
    event: instantOf(dateTime),
    processed: instantOf(eventProcessedTime ?? dateTime),
    raw: JSON.stringify(event),
  };
}

/** ISO text with any zone, or epoch milliseconds. */
function instantOf(time: unknown): number {
  return typeof time === 'number' ? time : Date.parse(String(time).replace(/([+-]\d\d)(\d\d)$/, '$1:$2'));
}

function idOf(raw: string | Uint8Array): unknown {
  return (JSON.parse(Buffer.from(raw).toString()) as { id?: unknown }).id;
}

function selected(rows: readonly Row[], params: URLSearchParams): readonly Row[] {
  const filter = params.get('filter') ?? '';
  let found = rows;
  for (const [, token = '', from = '', to = ''] of filter.matchAll(
    /event\.(\w+)\s*:\s*\['([^']+)' \.\. '([^']+)'\]/gi,
  )) {
    const timeOf = (row: Row) => (/process/i.test(token) ? row.processed : row.event);
    const [low, high] = [Date.parse(from), Date.parse(to)];
    found = found.filter((row) => timeOf(row) >= low && timeOf(row) <= high);
  }
  const type = /\btype: '(\w+)'/.exec(filter)?.[1];
  if (type === undefined) return found;
  return found.filter(({ raw }) => (JSON.parse(Buffer.from(raw).toString()) as { type?: unknown }).type === type);
}

function token(): string {
  const part = (value: object) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const now = Math.floor(Date.now() / 1000);
  return `${part({ alg: 'none' })}.${part({ sub: 'u', iat: now, exp: now + 14_400 })}.c2lnbmF0dXJl`;
}
