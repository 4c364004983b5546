import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseRange, seededRandom, systemClock } from '@edrlake/core';
import { startSimulator } from '@edrlake/simulator';
import { expect, it } from 'vitest';
import { objectsOn } from '../../lake/test/object-address.ts';
import { newS3Server } from '../../lake/test/object-lakes.ts';
import { connectSharing } from '../src/index.ts';

const NEVER = new AbortController().signal;
const LIMIT = { requests: 12, windowSeconds: 2 };

it('machines with nothing but an object store in common ask one gateway no more than one would', async () => {
  const server = await newS3Server();
  const range = parseRange('2020-08-17', '2020-08-17');
  const gateway = await startSimulator({ events: 200, range, rateLimit: LIMIT, concurrencyLimit: 2, latencyMs: 20 });
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-machines-'));
  try {
    const settings = { baseUrl: gateway.url, username: 'demo', password: 'demo' };
    const objects = objectsOn(server);
    const machines = await Promise.all(
      [1, 2, 3].map((machine) =>
        connectSharing(
          settings,
          { lakeDirectory: join(folder, `machine-${machine}`), objects, priority: 'normal', command: 'test' },
          { clock: systemClock, random: seededRandom(machine), emit: () => {} },
        ),
      ),
    );
    const window = { axis: 'event', range, cuts: [], scope: { filter: null, state: null } } as const;
    const asks = machines.flatMap(({ source }) => Array.from({ length: 10 }, () => source.count(window, NEVER)));
    expect(await Promise.all(asks)).toEqual(asks.map(() => 200));
    expect(gateway.calls.dataTotal).toBe(30);
    expect(gateway.calls.all().filter(({ status }) => status !== 200 && status !== 201)).toEqual([]);
    expect(gateway.calls.mostRunning).toBeLessThanOrEqual(2);
    for (const machine of machines) await machine.close();
    // What `edrlake status` of a machine reads without asking the object store.
    const copied = await readdir(join(folder, 'machine-1', '_runs'));
    expect(copied.filter((name) => name.startsWith('budget-'))).toHaveLength(1);
  } finally {
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  }
});

it('one machine alone writes its account at most three times a request', async () => {
  const server = await newS3Server();
  const range = parseRange('2020-08-17', '2020-08-17');
  const gateway = await startSimulator({ events: 200, range, rateLimit: null, latencyMs: 20 });
  const folder = await mkdtemp(join(tmpdir(), 'edrlake-machine-'));
  try {
    const machine = await connectSharing(
      { baseUrl: gateway.url, username: 'demo', password: 'demo', rateLimit: { requests: 1_000, windowSeconds: 60 } },
      { lakeDirectory: folder, objects: objectsOn(server), priority: 'normal', command: 'test' },
      { clock: systemClock, random: seededRandom(7), emit: () => {} },
    );
    const window = { axis: 'event', range, cuts: [], scope: { filter: null, state: null } } as const;
    await Promise.all(Array.from({ length: 60 }, () => machine.source.count(window, NEVER)));
    await machine.close();
    const asked = server.requests.filter(({ key }) => key.includes('_requests/'));
    const writes = asked.filter(({ method }) => method === 'PUT').length;
    expect(writes).toBeGreaterThan(60);
    expect(gateway.calls.total).toBe(61);
    // For the permit, for the answer and for its end; of these the last two are written together where they can.
    expect(writes).toBeLessThanOrEqual(3 * 61 + 2);
  } finally {
    await gateway.close();
    await rm(folder, { recursive: true, force: true });
  }
});
