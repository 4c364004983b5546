import { request as plainRequest } from 'node:http';
import { request as secureRequest } from 'node:https';
import { connect } from 'node:net';
import { EdrlakeError, type Emit, type ProxySettings, proxyRefusal, proxyUnreachable } from '@edrlake/core';
import type { ProcessContext } from './process-context.ts';

/** A host that takes connections at all does so within this time. */
const CONNECT_WITHIN_MS = 8_000;
const MAX_ATTEMPTS = 2;
const DELAY_MS = 1_000;

/** Where to connect, and the proxy to go through, if any. */
export interface Destination {
  readonly baseUrl: string;
  readonly proxy: ProxySettings | null;
}

/**
 * Opens a connection to the gateway, through the proxy where one is set, and closes it again, before the first request
 * is made. Requests are tried again for minutes, which is right for a host that has answered before and wrong for one
 * that was never there.
 * @throws {EdrlakeError} `HOST_UNREACHABLE`, `PROXY_UNREACHABLE` or `PROXY_REFUSED` within 20 seconds
 */
export async function requireReachable(
  { baseUrl, proxy }: Destination,
  context: ProcessContext,
  emit: Emit,
): Promise<void> {
  const { clock, signal } = context;
  const url = new URL(baseUrl);
  for (let attempt = 1; ; attempt += 1) {
    const error = await (proxy === null ? directFailure(url, signal) : tunnelFailure(url, proxy, signal));
    if (error === null) return;
    if (attempt >= MAX_ATTEMPTS || error.disposition !== 'retry') throw error;
    emit({ type: 'retry', endpoint: 'connection', code: error.code, delayMs: DELAY_MS, attempt });
    await clock.sleep(DELAY_MS, signal);
  }
}

/** Why no connection came about, or null where one did. */
async function directFailure(url: URL, signal: AbortSignal): Promise<EdrlakeError | null> {
  const socket = connect({ host: withoutBrackets(url.hostname), port: portOf(url) });
  socket.setTimeout(CONNECT_WITHIN_MS);
  const reason = await ending<string>(socket, signal, (settle) => {
    socket.once('connect', () => settle(null));
    return (failed) => failed;
  });
  return reason === null ? null : unreachable(url.host, reason);
}

/** The same for a way through the proxy, as a CONNECT request opens it. */
async function tunnelFailure(url: URL, proxy: ProxySettings, signal: AbortSignal): Promise<EdrlakeError | null> {
  const target = `${url.hostname}:${portOf(url)}`;
  const through = new URL(proxy.url);
  const request = (through.protocol === 'https:' ? secureRequest : plainRequest)({
    host: withoutBrackets(through.hostname),
    port: portOf(through),
    method: 'CONNECT',
    path: target,
    headers: {
      host: target,
      ...(proxy.authorization === null ? {} : { 'proxy-authorization': proxy.authorization }),
    },
    timeout: CONNECT_WITHIN_MS,
    agent: false,
  });
  request.end();
  return ending<EdrlakeError>(request, signal, (settle) => {
    request.once('connect', ({ statusCode = 0 }, socket) => {
      socket.destroy();
      settle(statusCode === 200 ? null : proxyRefusal(proxy, url.host, statusCode));
    });
    return (reason) => proxyUnreachable(proxy, reasonText(reason));
  });
}

/** What a socket and a request have in common. */
interface Connecting {
  once(event: 'timeout', listener: () => void): unknown;
  on(event: 'error', listener: (error: NodeJS.ErrnoException) => void): unknown;
  destroy(): unknown;
}

/**
 * Waits for the first of these: a result that `listen` settles, an error, the timeout, an abort. Then it destroys the
 * connection.
 */
function ending<T>(
  connecting: Connecting,
  signal: AbortSignal,
  listen: (settle: (result: T | null) => void) => (reason: string) => T,
): Promise<T | null> {
  return new Promise((resolve, reject) => {
    const end = (act: () => void) => {
      signal.removeEventListener('abort', onAbort);
      connecting.destroy();
      act();
    };
    const onAbort = () => end(() => reject(signal.reason));
    const failed = listen((result) => end(() => resolve(result)));
    connecting.once('timeout', () => end(() => resolve(failed('ETIMEDOUT'))));
    // More than once: destroying what is still connecting is reported as an error as well.
    connecting.on('error', (error) => end(() => resolve(failed(error.code ?? error.message))));
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted) onAbort();
  });
}

/** An IPv6 host is in brackets in a URL and without them elsewhere. */
function withoutBrackets(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1');
}

function portOf(url: URL): number {
  return url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  ECONNREFUSED: 'nothing listens there',
  ECONNRESET: 'it closed the connection without an answer',
  ETIMEDOUT: `no answer within ${CONNECT_WITHIN_MS / 1_000} s`,
  ENETUNREACH: 'there is no way to that network',
  EHOSTUNREACH: 'there is no way to that host',
};

function reasonText(reason: string): string {
  const words = REASONS[reason];
  return words === undefined ? reason : `${words} (${reason})`;
}

function unreachable(host: string, reason: string): EdrlakeError {
  return new EdrlakeError(
    'HOST_UNREACHABLE',
    `no connection to ${host}: ${reasonText(reason)}, tried ${MAX_ATTEMPTS} times`,
    {
      disposition: 'retry',
      context: { host, reason },
      hint: 'Check the base URL or platform, the network and the firewall. A server that needs a proxy names it in HTTPS_PROXY.',
    },
  );
}
