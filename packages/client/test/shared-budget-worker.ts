import { get } from 'node:http';
import { hostname } from 'node:os';
import { type ProcessOwner, seededRandom, systemClock } from '@edrlake/core';
import { openSharedLimiter } from '../src/index.ts';

/** The options of a process that loads a limiter. */
export interface HammerOrder {
  readonly directory: string;
  readonly url: string;
  readonly requests: number;
  readonly limit: { readonly requests: number; readonly windowSeconds: number };
  readonly concurrency: number;
  readonly priority: 'high' | 'normal';
}

/** Makes requests as fast as the limiter allows, more of them at once than it admits. */
export async function hammer(order: HammerOrder): Promise<void> {
  const budget = await openSharedLimiter(
    {
      directory: order.directory,
      userLimit: order.limit,
      concurrency: order.concurrency,
      priority: order.priority,
      liveness: { owner: { host: hostname(), pid: process.pid, startIdentity: '' }, stateOf },
    },
    { clock: systemClock, emit: () => {}, random: seededRandom(process.pid) },
  );
  const { signal } = new AbortController();
  let left = order.requests;
  const worker = async () => {
    while (left-- > 0) {
      const permit = await budget.acquire(signal);
      await answerOf(`${order.url}/?pid=${process.pid}`, () => permit.answered(null));
      permit.ended();
    }
  };
  await Promise.all(Array.from({ length: order.concurrency + 1 }, worker));
  await budget.close();
}

function answerOf(url: string, onHeaders: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    get(url, (answer) => {
      onHeaders();
      answer.resume().once('end', resolve).once('error', reject);
    }).once('error', reject);
  });
}

function stateOf(owner: ProcessOwner): 'alive' | 'dead' {
  try {
    process.kill(owner.pid, 0);
    return 'alive';
  } catch {
    return 'dead';
  }
}
