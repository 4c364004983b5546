import { type ProxySettings, proxyRefusal, proxyUnreachable } from '@edrlake/core';
import { Agent, type Dispatcher, Pool, ProxyAgent } from 'undici';
import { connectionReason } from './failed-exchange.ts';

/** How long each part of a request may take. */
export interface HttpTimeouts {
  /** Until the connection is established, TLS included. */
  readonly connectTimeoutMs: number;
  /** From the request sent to the first header. Counting events can take minutes. */
  readonly headersTimeoutMs: number;
  /** Between two pieces of a body, while the reader is ready for more. */
  readonly bodyTimeoutMs: number;
}

/** Connections to the gateway, directly or through the proxy, with the same time limits and the same maximum number. */
export function createAgent(
  baseUrl: string,
  timeouts: HttpTimeouts,
  connections: number,
  proxy: ProxySettings | null,
): Dispatcher {
  const connect = { timeout: timeouts.connectTimeoutMs };
  const pool = {
    headersTimeout: timeouts.headersTimeoutMs,
    bodyTimeout: timeouts.bodyTimeoutMs,
    connections,
    pipelining: 1,
    keepAliveTimeout: 30_000,
  };
  if (proxy === null) return new Agent({ ...pool, connect });
  return new ProxyAgent({
    ...pool,
    uri: proxy.url,
    ...(proxy.authorization === null ? {} : { token: proxy.authorization }),
    requestTls: connect,
    proxyTls: connect,
    // A proxy that does not open a tunnel in time is a connection timeout.
    clientFactory: (origin, options) =>
      createProxyPool(origin, { ...options, headersTimeout: timeouts.connectTimeoutMs }, proxy, new URL(baseUrl).host),
  });
}

/**
 * Opens tunnels through the proxy, and reports itself why one did not open. undici mistakes a connection that the proxy
 * closed for one that broke later, and would open another one at once, without end.
 */
function createProxyPool(origin: URL, options: Pool.Options, proxy: ProxySettings, host: string): Dispatcher {
  const pool = new Pool(origin, options);
  const open = pool.connect.bind(pool) as (options: Dispatcher.ConnectOptions) => Promise<Dispatcher.ConnectData>;
  const connect = async (wanted: Dispatcher.ConnectOptions) => {
    const data = await open(wanted).catch((thrown: unknown) => {
      throw proxyUnreachable(proxy, connectionReason(thrown));
    });
    if (data.statusCode === 200) return data;
    data.socket.on('error', () => {}).destroy();
    throw proxyRefusal(proxy, host, data.statusCode);
  };
  return Object.assign(pool, { connect });
}
