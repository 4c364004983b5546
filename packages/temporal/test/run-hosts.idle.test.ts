import type { Clock } from '@edrlake/core';
import { expect, it } from 'vitest';
import { keepHosts, type OpenHost, type RunHost } from '../src/worker/run-hosts.ts';

const ABOUT = { subscription: 'acme', lake: '/lake', pipeline: 'nightly' };

/** A clock whose sleepers wake when the test says so. */
function handClock() {
  const sleepers = new Set<() => void>();
  const clock: Clock = {
    nowMs: () => 0,
    sleep: (_, signal) =>
      new Promise((resolve, reject) => {
        sleepers.add(resolve);
        signal.addEventListener('abort', () => {
          sleepers.delete(resolve);
          reject(signal.reason);
        });
      }),
  };
  const passTime = async () => {
    for (const wake of sleepers) wake();
    sleepers.clear();
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { clock, passTime, sleeping: () => sleepers.size };
}

/** Notes what is opened and closed. */
function countedHosts(problem: () => Error | null = () => null) {
  const said: string[] = [];
  const open: OpenHost = async () => {
    const error = problem();
    if (error !== null) throw error;
    said.push('open');
    return { close: async () => void said.push('close') } as unknown as RunHost;
  };
  return { open, said };
}

it('opens once for tasks that follow each other, and closes when none has come for a while', async () => {
  const { clock, passTime, sleeping } = handClock();
  const { open, said } = countedHosts();
  const hosts = keepHosts(open, clock, () => {});
  await Promise.all([1, 2].map(() => hosts.use('run-1', ABOUT, async () => said.push('work'))));
  await hosts.use('run-1', ABOUT, async () => said.push('work'));
  expect(said).toEqual(['open', 'work', 'work', 'work']);
  expect(sleeping()).toBe(1);
  await passTime();
  expect(said.at(-1)).toBe('close');
  await hosts.use('run-1', ABOUT, async () => said.push('work'));
  expect(said.slice(-3)).toEqual(['close', 'open', 'work']);
  await hosts.close();
  expect(said.at(-1)).toBe('close');
  expect(sleeping()).toBe(0);
});

it('tries again to open what could not be opened', async () => {
  const { clock } = handClock();
  let isDown = true;
  const { open, said } = countedHosts(() => (isDown ? new Error('down') : null));
  const hosts = keepHosts(open, clock, () => {});
  await expect(hosts.use('run-1', ABOUT, async () => 1)).rejects.toThrow('down');
  isDown = false;
  expect(await hosts.use('run-1', ABOUT, async () => 2)).toBe(2);
  expect(said).toEqual(['open']);
  await hosts.close();
});

it('keeps a host that is at work when another task of the run fails', async () => {
  const { clock } = handClock();
  const { open, said } = countedHosts();
  const hosts = keepHosts(open, clock, () => {});
  let end: () => void = () => {};
  const long = hosts.use('run-1', ABOUT, () => new Promise<void>((resolve) => (end = resolve)));
  await expect(hosts.use('run-1', ABOUT, () => Promise.reject(new Error('bad')))).rejects.toThrow('bad');
  expect(said).toEqual(['open']);
  end();
  await long;
  await hosts.close();
  expect(said).toEqual(['open', 'close']);
});
