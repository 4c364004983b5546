import type { AddressInfo } from 'node:net';
import { EdrlakeError, errnoOf } from '@edrlake/core';
import { createAdaptorServer } from '@hono/node-server';
import type { Hono } from 'hono';
import { isLoopback } from '../guard/allowed-host.ts';
import type { Admission } from './guards.ts';

/** Where a server listens. */
export interface Listening {
  readonly url: string;
  /** Ends what is being answered, and frees the port. */
  close(): Promise<void>;
}

/**
 * Answers requests until it is closed.
 * @param port 0 takes a free one
 * @param portFlag what a user calls the port, for errors
 * @throws {EdrlakeError} `USAGE` for an address without a token that other machines reach, or a port that is taken
 */
export async function listen(
  app: Hono,
  { host, token }: Admission,
  port: number,
  portFlag = '--port',
): Promise<Listening> {
  if (token === null && !isLoopback(host)) {
    throw new EdrlakeError('USAGE', `other machines reach ${host}, where any program could read the lake`, {
      hint: 'Give a --token-file, or leave --host out and use ssh -L.',
    });
  }
  const server = createAdaptorServer({ fetch: app.fetch });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (thrown) => reject(notListening(thrown, host, port, portFlag)));
    server.listen(port, host, resolve);
  });
  const { port: taken } = server.address() as AddressInfo;
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${taken}/`,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        if ('closeAllConnections' in server) server.closeAllConnections();
      }),
  };
}

function notListening(thrown: unknown, host: string, port: number, flag: string): EdrlakeError {
  const errno = errnoOf(thrown);
  const problems: Readonly<Record<string, [string, string]>> = {
    EADDRINUSE: [`another program listens on port ${port}`, `Choose another with ${flag}; ${flag} 0 takes a free one.`],
    EACCES: [`this user may not listen on port ${port}`, `Choose a port above 1023 with ${flag}.`],
    EADDRNOTAVAIL: [`${host} is no address of this machine`, 'Give one with --host, or 0.0.0.0 for all.'],
    ENOTFOUND: [`${host} is no address of this machine`, 'Give one with --host, or 0.0.0.0 for all.'],
  };
  const [problem, hint] = problems[errno] ?? [`cannot listen on ${host}:${port}: ${errno}`, `Choose another ${flag}.`];
  return new EdrlakeError('USAGE', problem, { cause: thrown, context: { host, port }, hint });
}
