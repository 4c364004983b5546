import { createServer } from 'node:net';
import type { RunEvent } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { requireReachable } from '../src/process/reachability.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

async function listen(): Promise<{ url: string; close(): Promise<void> }> {
  const server = createServer((socket) => socket.end());
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const address = server.address();
  const port = typeof address === 'object' && address !== null ? address.port : 0;
  return { url: `http://127.0.0.1:${port}`, close: () => new Promise((resolve) => server.close(() => resolve())) };
}

describe('before the first request', () => {
  it('a host that takes connections is enough', async () => {
    const host = await listen();
    const events: RunEvent[] = [];
    await requireReachable({ baseUrl: host.url, proxy: null }, fakeSurroundings(), (event) => events.push(event));
    expect(events).toEqual([]);
    await host.close();
  });

  it('a host that is not there is tried twice and then named', async () => {
    const host = await listen();
    await host.close();
    const events: RunEvent[] = [];
    await expect(
      requireReachable({ baseUrl: host.url, proxy: null }, fakeSurroundings(), (event) => events.push(event)),
    ).rejects.toMatchObject({
      code: 'HOST_UNREACHABLE',
      message: `no connection to ${new URL(host.url).host}: nothing listens there (ECONNREFUSED), tried 2 times`,
    });
    expect(events.map(({ type }) => type)).toEqual(['retry']);
  });

  it('an interrupt ends the wait', async () => {
    const stop = new AbortController();
    stop.abort(new Error('stopped'));
    const context = fakeSurroundings({ signal: stop.signal });
    await expect(requireReachable({ baseUrl: 'http://127.0.0.1:1', proxy: null }, context, () => {})).rejects.toThrow(
      'stopped',
    );
  });
});
