import { EventEmitter } from 'node:events';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { Readable } from 'node:stream';
import type { Scheduler } from './scheduler.ts';
import { currentProcess, runAs, type SimulatedProcess } from './simulated-process.ts';

/** The used part of undici's request options. */
interface WireRequest {
  readonly origin: string;
  readonly path: string;
  readonly method: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
  readonly signal?: AbortSignal;
}

/** The answer that a client gets, as undici returns it. */
interface WireAnswer {
  readonly statusCode: number;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: Readable;
}

/** The request handler of a simulated server. */
export type Listener = (request: IncomingMessage, response: ServerResponse) => void;

/** The network between the processes and the one gateway. */
export interface Network {
  readonly scheduler: Scheduler;
  /** Null while the gateway cannot be reached at all. */
  listener: Listener | null;
  /** The gateway's clock, for the `Date` header. */
  readonly gatewayNow: () => number;
  /** How long the next request takes to arrive, and its answer to return. */
  readonly latencyMs: () => number;
  /** Called when a request arrives, before it is answered. */
  readonly onArrival: () => void;
}

/** The time that undici waits for headers, or for the next piece of a body. */
const TIMEOUT_MS = 300_000;

/** One request over the network. Replaces undici's `request`. */
export function sendRequest(network: Network, request: WireRequest): Promise<WireAnswer> {
  const { scheduler } = network;
  const owner = currentProcess();
  return new Promise((resolve, reject) => {
    const exchange = new Exchange(network, owner, request, resolve, reject);
    if (request.signal?.aborted === true) return reject(request.signal.reason);
    request.signal?.addEventListener('abort', () => exchange.giveUp(request.signal?.reason), { once: true });
    owner?.atEnd.push(() => exchange.hangUp());
    scheduler.timer(null, network.latencyMs(), () => exchange.arrive());
  });
}

/** A connection that is opened only to see whether the host answers. */
export function openSocket(network: Network): EventEmitter {
  const owner = currentProcess();
  const socket = Object.assign(new EventEmitter(), { setTimeout: () => socket, destroy: () => socket });
  void network.scheduler
    .task({ owner, kind: 'connect', label: 'connect', perform: () => network.listener !== null })
    .then(
      (isThere) => (isThere ? socket.emit('connect') : socket.emit('error', networkError('ECONNREFUSED'))),
      (thrown) => socket.emit('error', thrown),
    );
  return socket;
}

function networkError(code: string): Error {
  return Object.assign(new Error(`simulated ${code}`), { code });
}

/** A request and its answer. */
class Exchange {
  private readonly network: Network;
  private readonly owner: SimulatedProcess | null;
  private readonly request: WireRequest;
  private readonly resolve: (answer: WireAnswer) => void;
  private readonly reject: (thrown: unknown) => void;
  private response: SimulatedResponse | null = null;
  private body: Readable | null = null;
  private isOver = false;

  constructor(
    network: Network,
    owner: SimulatedProcess | null,
    request: WireRequest,
    resolve: (answer: WireAnswer) => void,
    reject: (thrown: unknown) => void,
  ) {
    this.network = network;
    this.owner = owner;
    this.request = request;
    this.resolve = resolve;
    this.reject = reject;
  }

  /** The request has reached the gateway. */
  arrive(): void {
    if (this.isOver) return;
    const { network, request, owner } = this;
    if (network.listener === null) {
      this.fail(networkError('ECONNREFUSED'));
      return;
    }
    network.onArrival();
    network.scheduler.note(
      `${network.scheduler.nowMs} gateway ${owner?.number ?? 0} ${request.method} ${request.path}`,
    );
    const { 'accept-encoding': _, ...headers } = request.headers;
    const incoming = Object.assign(Readable.from(request.body === null ? [] : [Buffer.from(request.body)]), {
      method: request.method,
      url: request.path,
      headers,
      socket: { resetAndDestroy: () => this.fail(networkError(this.body === null ? 'ECONNRESET' : 'UND_ERR_SOCKET')) },
    });
    const response = new SimulatedResponse({
      begin: (status, sent) => this.begin(status, sent),
      piece: (bytes) => this.later('piece', () => this.body?.push(bytes)),
      end: () => this.later('end', () => this.finish()),
      reset: () => this.fail(networkError('ECONNRESET')),
    });
    this.response = response;
    network.scheduler.timer(null, TIMEOUT_MS, () => {
      if (this.body === null) this.fail(networkError('UND_ERR_HEADERS_TIMEOUT'));
      else this.fail(networkError('UND_ERR_BODY_TIMEOUT'));
    });
    runAs(null, () =>
      network.listener?.(incoming as unknown as IncomingMessage, response as unknown as ServerResponse),
    );
  }

  /** The process has ended, or does not want the answer any more. */
  hangUp(): void {
    if (this.isOver) return;
    this.isOver = true;
    this.response?.close();
  }

  giveUp(reason: unknown): void {
    if (this.isOver) return;
    this.reject(reason);
    this.body?.destroy(reason instanceof Error ? reason : new Error('aborted'));
    this.hangUp();
  }

  private begin(status: number, headers: Readonly<Record<string, string>>): void {
    const date = new Date(Math.floor(this.network.gatewayNow() / 1000) * 1000).toUTCString();
    this.later('headers', () => {
      const body = new Readable({ read: () => {} });
      body.on('error', () => {});
      body.on('close', () => this.hangUp());
      this.body = body;
      this.resolve({ statusCode: status, headers: { date, ...headers }, body });
    });
  }

  private finish(): void {
    this.isOver = true;
    this.body?.push(null);
    this.response?.close();
  }

  private fail(thrown: unknown): void {
    this.later('failure', () => {
      this.reject(thrown);
      this.body?.destroy(thrown as Error);
      this.hangUp();
    });
  }

  /** Pieces of the answer reach the client in order, after some time. */
  private readonly queue: { readonly what: string; readonly act: () => void }[] = [];

  private later(what: string, act: () => void): void {
    this.queue.push({ what, act });
    if (this.queue.length === 1) this.deliver();
  }

  private deliver(): void {
    const [first] = this.queue;
    if (first === undefined) return;
    this.network.scheduler.timer(null, this.network.latencyMs(), () => {
      if (!this.isOver) runAs(this.owner, first.act);
      this.queue.shift();
      this.deliver();
    });
  }
}

interface ResponseEnds {
  begin(status: number, headers: Readonly<Record<string, string>>): void;
  piece(bytes: Uint8Array): void;
  end(): void;
  reset(): void;
}

/** The response object that the server writes to. */
class SimulatedResponse extends EventEmitter {
  statusCode = 200;
  destroyed = false;
  writableEnded = false;
  headersSent = false;
  private readonly headers: Record<string, string> = {};
  private readonly ends: ResponseEnds;

  constructor(ends: ResponseEnds) {
    super();
    this.ends = ends;
  }

  setHeader(name: string, value: string | number): this {
    this.headers[name.toLowerCase()] = String(value);
    return this;
  }

  writeHead(status: number, headers: Readonly<Record<string, string>> = {}): this {
    this.statusCode = status;
    for (const [name, value] of Object.entries(headers)) this.setHeader(name, value);
    return this;
  }

  write(bytes: Uint8Array | string, ...rest: unknown[]): boolean {
    this.start();
    this.ends.piece(Buffer.from(bytes as string));
    const done = rest.find((each) => typeof each === 'function') as (() => void) | undefined;
    if (done !== undefined) process.nextTick(done);
    return true;
  }

  end(bytes?: Uint8Array | string): this {
    this.start();
    if (bytes !== undefined && bytes.length > 0) this.ends.piece(Buffer.from(bytes as string));
    this.writableEnded = true;
    this.ends.end();
    return this;
  }

  destroy(): this {
    this.ends.reset();
    return this;
  }

  /** The connection is over, from either end. */
  close(): void {
    if (this.destroyed) return;
    this.destroyed = true;
    runAs(null, () => this.emit('close'));
  }

  private start(): void {
    if (this.headersSent) return;
    this.headersSent = true;
    this.ends.begin(this.statusCode, this.headers);
  }
}
