import fs, { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Beat, type ProcessOwner, type ProcessTable, type RunEvent, systemProcesses } from '@edrlake/core';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { CommitStep } from '../src/index.ts';
import { type Lease, openLease } from '../src/storage/lease.ts';
import { localStore } from '../src/storage/store.ts';
import { buildChild, type ChildScript } from './child-build.ts';
import { type DiskFault, onFailingDisk } from './failing-disk.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY_1, deliver, type SmallEvent } from './small-lake.ts';

/** A container: it sees no process but itself, and the test triggers its beats. */
function container(name: string) {
  const works = new Set<() => void>();
  const me: ProcessOwner = { host: 'shared', pid: 1, startIdentity: 'boot:1', namespace: name };
  const processes: ProcessTable = {
    current: () => me,
    stateOf: (owner) => (owner.namespace === name ? 'alive' : 'elsewhere'),
  };
  const beat: Beat = (_, work) => {
    works.add(work);
    return () => works.delete(work);
  };
  const tick = () => {
    for (const work of works) work();
  };
  /** Beats of one lease, one after the other. */
  const pass = async (lease: Lease, beats: number) => {
    for (let n = 0; n < beats; n += 1) {
      const done = lease.nextBeat();
      tick();
      await done;
    }
  };
  return { processes, beat, tick, pass };
}

describe('a lease', () => {
  test('that cannot be read for ten beats ends the wait for its holder with what is in the way', async () => {
    const store = localStore(await newDirectory());
    const [a, b] = [container('a'), container('b')];
    const [held, watching] = [await openLease(store, a), await openLease(store, b)];
    const known = watching.untilKnown(held.owner, () => {});
    await watching.lookAt(held.owner);
    const unreadable = {
      call: 'readdir',
      errno: 'EIO',
      matches: (path: string) => path.includes('_leases'),
      nth: null,
    };
    const ended = expect(known).rejects.toMatchObject({ code: 'LAKE_CORRUPT' });
    await onFailingDisk([unreadable as DiskFault], () => b.pass(watching, 11));
    await onFailingDisk([unreadable as DiskFault], () => ended);
  });

  test('of a process that cannot be seen expires when it is not renewed, and then it cannot be renewed', async () => {
    const store = localStore(await newDirectory());
    const [a, b] = [container('a'), container('b')];
    const [held, watching] = [await openLease(store, a), await openLease(store, b)];
    expect(await watching.lookAt(held.owner)).toBe('elsewhere');
    for (let n = 0; n < 12; n += 1) {
      await a.pass(held, 1);
      await b.pass(watching, 1);
    }
    expect(watching.stateOf(held.owner)).toBe('elsewhere');
    expect(await watching.take(held.owner)).toBe(false);
    await b.pass(watching, 10);
    expect(watching.stateOf(held.owner)).toBe('dead');
    await held.confirm();
    expect(await watching.take(held.owner)).toBe(false);
    await b.pass(watching, 11);
    expect(await watching.take(held.owner)).toBe(true);
    await expect(held.confirm()).rejects.toMatchObject({ code: 'LEASE_LOST' });
    expect(() => held.assertHeld()).toThrow(expect.objectContaining({ code: 'LEASE_LOST' }));
    await held.release();
    await watching.release();
    expect(await store.list('_leases')).toEqual([]);
  });

  test('that was released is gone at once, and one that has just begun is not', async () => {
    const store = localStore(await newDirectory());
    const [a, b] = [container('a'), container('b')];
    const watching = await openLease(store, b);
    const held = await openLease(store, a);
    expect(watching.stateOf(held.owner)).toBe('elsewhere');
    expect(await watching.hasCompany()).toBe(true);
    await held.release();
    expect(await watching.lookAt(held.owner)).toBe('dead');
    expect(await watching.hasCompany()).toBe(false);
    await watching.release();
  });

  test('survives a renewal that was reported as failed', async () => {
    const store = localStore(await newDirectory());
    const a = container('a');
    let failing = false;
    const flaky = {
      ...store,
      rename: async (from: string, to: string) => {
        const done = await store.rename(from, to);
        if (failing) throw new Error('EIO after it was done');
        return done;
      },
    };
    const held = await openLease(flaky, a);
    failing = true;
    await a.pass(held, 2);
    failing = false;
    await held.confirm();
    await held.release();
  });
});

let child: ChildScript;
let stored: string;
beforeAll(async () => {
  child = await buildChild(new URL('./commit-child.ts', import.meta.url));
  stored = await mkdtemp(join(tmpdir(), 'lake-stored-'));
  await child.run({ directory: stored, batches: [[EVENTS[0]]], killAt: null });
});
afterAll(async () => {
  await child.remove();
  await rm(stored, { recursive: true, force: true });
});

const EVENTS: readonly SmallEvent[] = ['a', 'b'].map((id) => ({ id, timeMs: DAY_1, score: 1, issuers: ['x'] }));
const ids = (rows: unknown[][]) => rows.flat().sort();

describe('a commit of a process that cannot be seen', () => {
  const steps: readonly (readonly [CommitStep, boolean])[] = [
    ['manifest-written', false],
    ['files-moved', false],
    ['committed', true],
  ];

  test.each(steps)('killed at %s is finished or undone once its lease has expired', async (step, isCommitted) => {
    const directory = await newDirectory();
    await cp(stored, directory, { recursive: true });
    const killed = await child.run({ directory, batches: [EVENTS.slice(1)], killAt: { step, occurrence: 1 } });
    expect(killed).toMatchObject({ signal: 'SIGKILL', errors: '' });
    const there = container('there');
    const events: RunEvent[] = [];
    const opening = openSmall(directory, { ...there, emit: (event) => events.push(event) });
    const writer = await Promise.race([opening, passing(there.tick)]);
    expect(events.filter(({ type }) => type === 'lease-wait')).toEqual([
      {
        type: 'lease-wait',
        work: 'commit',
        host: systemProcesses.current().host,
        pid: expect.any(Number),
        atMostMs: 30_000,
      },
    ]);
    expect(events).toContainEqual({ type: 'recovered', commits: 1 });
    const expected = isCommitted ? ['a', 'b'] : ['a'];
    const inFolders = `SELECT event_id FROM ${plainRows(directory, 'events')}`;
    expect(ids(await askPlain(inFolders))).toEqual(expected);
    expect(ids(await ask(writer, 'SELECT event_id FROM events'))).toEqual(expected);
    await deliver(writer, EVENTS);
    expect(ids(await askPlain(inFolders))).toEqual(['a', 'b']);
    await writer.close();
    for (const folder of ['_leases', '_spool/tmp']) expect(await readdir(join(directory, folder))).toEqual([]);
  });
});

/** Triggers beats until the test ends. */
async function passing(tick: () => void): Promise<never> {
  for (;;) {
    tick();
    await new Promise(setImmediate);
  }
}

describe('a process that was stopped in the middle of a commit', () => {
  const steps: readonly CommitStep[] = ['manifest-written', 'file-moved', 'files-moved'];

  test.each(steps)('at %s, while another one took over, publishes nothing and reports it', async (step) => {
    const directory = await newDirectory();
    await cp(stored, directory, { recursive: true });
    const killAt = { step, occurrence: 1, signal: 'SIGSTOP' };
    const slow = child.start({ directory, batches: [EVENTS.slice(1)], killAt });
    await untilStopped(slow.pid);
    const there = container('there');
    const writer = await Promise.race([openSmall(directory, there), passing(there.tick)]);
    const inFolders = `SELECT event_id FROM ${plainRows(directory, 'events')}`;
    expect(ids(await askPlain(inFolders))).toEqual(['a']);
    await writer.compact({}, { runId: 'test', signal: new AbortController().signal });
    process.kill(slow.pid, 'SIGCONT');
    const { code, errors } = await slow.ended;
    expect({ code, isLost: errors.includes('LEASE_LOST') }).toEqual({ code: 1, isLost: true });
    expect(ids(await askPlain(inFolders))).toEqual(['a']);
    await deliver(writer, EVENTS);
    expect(ids(await askPlain(inFolders))).toEqual(['a', 'b']);
    expect(ids(await ask(writer, 'SELECT event_id FROM events'))).toEqual(['a', 'b']);
    await writer.close();
    for (const folder of ['_leases', '_spool/tmp']) expect(await readdir(join(directory, folder))).toEqual([]);
  });
});

test('a process that is resumed while its commit is undone publishes nothing', async () => {
  const directory = await newDirectory();
  await cp(stored, directory, { recursive: true });
  const killAt = { step: 'files-moved', occurrence: 1, signal: 'SIGSTOP' } as const;
  const slow = child.start({ directory, batches: [EVENTS.slice(1)], killAt });
  await untilStopped(slow.pid);
  const there = container('there');
  let ended: Awaited<typeof slow.ended> | null = null;
  const writer = await beforeRename(
    (to) => to.includes('/_trash/'),
    async () => {
      process.kill(slow.pid, 'SIGCONT');
      ended = await slow.ended;
    },
    () => Promise.race([openSmall(directory, there), passing(there.tick)]),
  );
  expect(ended).toMatchObject({ code: 1, errors: expect.stringContaining('LEASE_LOST') });
  const inFolders = `SELECT event_id FROM ${plainRows(directory, 'events')}`;
  expect(ids(await askPlain(inFolders))).toEqual(['a']);
  await deliver(writer, EVENTS);
  expect(ids(await askPlain(inFolders))).toEqual(['a', 'b']);
  expect(ids(await ask(writer, 'SELECT event_id FROM events'))).toEqual(['a', 'b']);
});

/** Lets something happen once, right before a file gets a name. */
async function beforeRename<T>(
  matches: (to: string) => boolean,
  happen: () => Promise<void>,
  work: () => Promise<T>,
): Promise<T> {
  const { rename } = fs;
  let hasHappened = false;
  fs.rename = async (from, to) => {
    if (!hasHappened && matches(String(to))) {
      hasHappened = true;
      await happen();
    }
    await rename(from, to);
  };
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    fs.rename = rename;
    syncBuiltinESMExports();
  }
}

async function untilStopped(pid: number): Promise<void> {
  for (;;) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
    if (stat.slice(stat.lastIndexOf(')') + 2).startsWith('T')) return;
    await new Promise(setImmediate);
  }
}
