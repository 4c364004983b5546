import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { seededRandom } from '@edrlake/core';
import { expect, it, onTestFinished } from 'vitest';
import type { HammerOrder } from './shared-budget-worker.ts';
import { densest, temporaryFolder } from './shared-stage.ts';

const SCRIPT = fileURLToPath(new URL('shared-budget-child.mjs', import.meta.url));

/** A server that records when requests came and how many there were at once, without those of killed processes. */
async function startJudge() {
  const atMs: number[] = [];
  const perProcess = new Map<number, number>();
  const inside = new Map<object, number>();
  const dead = new Set<number>();
  const waiters = new Set<() => void>();
  let most = 0;
  const server = createServer((request, response) => {
    const pid = Number(new URL(request.url ?? '', 'http://judge').searchParams.get('pid'));
    atMs.push(Date.now());
    perProcess.set(pid, (perProcess.get(pid) ?? 0) + 1);
    if (!dead.has(pid)) inside.set(response, pid);
    most = Math.max(most, inside.size);
    response.once('close', () => inside.delete(response));
    // In two pieces with some turns between them, so that other requests have time to come in.
    response.write('[');
    setImmediate(() =>
      setImmediate(() => {
        // Removed before the process that asked can know that the request has ended.
        inside.delete(response);
        response.end(']');
      }),
    );
    for (const wake of waiters) wake();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  onTestFinished(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const countOf = (pid: number) => perProcess.get(pid) ?? 0;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    atMs,
    most: () => most,
    countOf,
    /** Resolves when the process has made `count` requests. */
    async reached(pid: number, requests: number): Promise<void> {
      await new Promise<void>((resolve) => {
        const look = () => {
          if (countOf(pid) < requests) return;
          waiters.delete(look);
          resolve();
        };
        waiters.add(look);
        look();
      });
    },
    bury(pid: number): void {
      dead.add(pid);
      for (const [response, owner] of inside) if (owner === pid) inside.delete(response);
    },
  };
}

/** Starts a process that waits for a message to begin. */
async function startChild(order: HammerOrder): Promise<ChildProcess & { readonly pid: number }> {
  const child = fork(SCRIPT, [JSON.stringify(order)], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
  onTestFinished(() => {
    child.kill('SIGKILL');
  });
  await once(child, 'message');
  return child as ChildProcess & { readonly pid: number };
}

it('holds for real processes, also when some are killed at any moment', async () => {
  const judge = await startJudge();
  const random = seededRandom(20_261_122);
  const limit = { requests: 40, windowSeconds: 1 };
  const order = { directory: await temporaryFolder(), url: judge.url, limit, concurrency: 3, requests: 35 };
  const children = await Promise.all(
    (['normal', 'normal', 'high', 'normal', 'normal'] as const).map((priority) => startChild({ ...order, priority })),
  );
  const exits = children.map((child) => once(child, 'exit'));
  for (const child of children) child.send('go');

  const [first, second, ...killed] = children;
  await Promise.all(
    killed.map(async (child) => {
      await judge.reached(child.pid, 1 + Math.floor(random() * 12));
      child.kill('SIGKILL');
      judge.bury(child.pid);
    }),
  );
  const codes = (await Promise.all(exits)).map(([code, signal]) => signal ?? code);
  expect(codes).toEqual([0, 0, 'SIGKILL', 'SIGKILL', 'SIGKILL']);
  expect([first, second].map((child) => judge.countOf(child?.pid ?? 0))).toEqual([35, 35]);
  expect(judge.most()).toBeLessThanOrEqual(order.concurrency);
  expect(densest(judge.atMs, 1000 * limit.windowSeconds)).toBeLessThanOrEqual(limit.requests);
});
