import type { AddressInfo } from 'node:net';
import { createAdaptorServer } from '@hono/node-server';
import { EdrlakeError, errnoOf } from '@edrlake/core';
import type { PageContext } from './data/page-context.ts';
import { isLoopback } from './guard/allowed-host.ts';
import { createApp } from './http/app.ts';
import { readAssets } from './http/assets.ts';
import { createLive } from './http/live.ts';

/** How the page is served. */
export interface PageOptions extends PageContext {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Needed on an address that other machines reach. */
  readonly token: string | null;
}

/** A page that is being served. */
export interface ServedPage {
  readonly url: string;
  /** Ends all streams and questions, and frees the port. */
  close(): Promise<void>;
}

/**
 * Serves the page over a lake until it is closed.
 * @throws {EdrlakeError} `USAGE` for an address without a token that other machines reach, or a port that is taken
 */
export async function startPage({ host, port, token, ...page }: PageOptions): Promise<ServedPage> {
  if (token === null && !isLoopback(host)) {
    throw new EdrlakeError('USAGE', `other machines reach ${host}, where any program could read the lake`, {
      hint: 'Give a --token-file, or leave --host out and use ssh -L.',
    });
  }
  const stop = new AbortController();
  const assets = await readAssets();
  const live = createLive(page, stop.signal);
  const app = createApp({ page, admission: { host, token }, assets, live, stopped: stop.signal });
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (thrown) => reject(notListening(thrown, host, port)));
    server.listen(port, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}/`,
    close: () =>
      new Promise((resolve) => {
        stop.abort(new EdrlakeError('INTERRUPTED', 'the page is being closed'));
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function notListening(thrown: unknown, host: string, port: number): EdrlakeError {
  const errno = errnoOf(thrown);
  const problems: Readonly<Record<string, [string, string]>> = {
    EADDRINUSE: [`another program listens on port ${port}`, 'Choose another with --port; --port 0 takes a free one.'],
    EACCES: [`this user may not listen on port ${port}`, 'Choose a port above 1023 with --port.'],
    EADDRNOTAVAIL: [`${host} is no address of this machine`, 'Give one with --host, or 0.0.0.0 for all.'],
    ENOTFOUND: [`${host} is no address of this machine`, 'Give one with --host, or 0.0.0.0 for all.'],
  };
  const [problem, hint] = problems[errno] ?? [`cannot listen on ${host}:${port}: ${errno}`, 'Choose another --port.'];
  return new EdrlakeError('USAGE', problem, { cause: thrown, context: { host, port }, hint });
}
