import { EdrlakeError, seededRandom } from '@edrlake/core';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openSharedLimiter, type SharedLimiter, type SharedLimiterOptions, type VersionStore } from '../src/index.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';
import { densest, NEVER, NOTHING, oneRequest, START, temporaryFolder } from './shared-stage.ts';

/** An object store as far as a limiter needs it, with answers that are lost before or after the write. */
function memoryStore(losesAnswer: () => 'never sent' | 'before' | 'after' | null = () => null) {
  const versions = new Map<number, string>();
  /** As one machine sees it. @param isCutOff whether nothing of it gets through any more */
  const open = (isCutOff: () => boolean = () => false): VersionStore => {
    const reach = () => {
      if (isCutOff()) throw unreachable();
    };
    return {
      async latest(from) {
        reach();
        const version = Math.max(0, ...[...versions.keys()].filter((each) => each >= from));
        return version === 0 ? null : { version, text: versions.get(version) ?? '' };
      },
      async putIfAbsent(version, text) {
        reach();
        if (versions.has(version)) return 'taken';
        // What got lost on its way is sent again by the store; a lost answer leaves it in doubt.
        const lost = losesAnswer();
        if (lost === 'never sent') return unreachable();
        versions.set(version, text);
        return lost === 'after' ? unreachable() : 'put';
      },
      async removeOld() {
        const newest = Math.max(...versions.keys());
        for (const version of versions.keys()) if (version < newest - 50) versions.delete(version);
      },
      close: () => {},
    };
  };
  return { open, versions };
}

function unreachable(): EdrlakeError {
  return new EdrlakeError('STORE_UNREACHABLE', 'cut off', { disposition: 'retry' });
}

let pids = 0;

/** Opens a limiter as a process of another machine would. */
async function openOn(
  store: VersionStore,
  clock: FakeClock,
  options: Partial<SharedLimiterOptions> = {},
): Promise<SharedLimiter> {
  pids += 1;
  const owner = { host: `machine-${pids}`, pid: pids, startIdentity: '', namespace: '', instance: `${pids}` };
  const liveness = {
    owner,
    stateOf: (other: { readonly host: string }) =>
      other.host === owner.host ? ('alive' as const) : ('elsewhere' as const),
  };
  return openSharedLimiter(
    { directory: await temporaryFolder(), store, userLimit: null, priority: 'normal', liveness, ...options },
    { clock, emit: () => {}, random: seededRandom(pids) },
  );
}

it('machines that share an object store stay within the limit together, also where answers of it are lost', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: 1, max: 6 }),
      fc.integer({ min: 5, max: 30 }),
      fc.integer({ min: 1, max: 3 }),
      fc.infiniteStream(fc.constantFrom('before' as const, 'after' as const, null, null, null, null)),
      fc.array(fc.record({ who: fc.nat(2), idleMs: fc.nat(4_000), answerMs: fc.nat(9_000) }), { maxLength: 12 }),
      async (requests, windowSeconds, concurrency, losses, calls) => {
        const clock = createFakeClock(START, false);
        const store = memoryStore(() => losses.next().value ?? null);
        const options = { userLimit: { requests, windowSeconds }, concurrency };
        const limiters = [await openOn(store.open(), clock, options), await openOn(store.open(), clock, options)];
        limiters.push(await openOn(store.open(), clock, { ...options, priority: 'high' }));
        const sentAtMs: number[] = [];
        let running = 0;
        const work = calls.map(async ({ who, idleMs, answerMs }, index) => {
          await clock.sleep(idleMs * index, NEVER);
          const permit = await (limiters[who] as SharedLimiter).acquire(NEVER);
          running += 1;
          expect(running).toBeLessThanOrEqual(concurrency);
          sentAtMs.push(clock.nowMs());
          await clock.sleep(answerMs, NEVER);
          permit.answered(NOTHING);
          running -= 1;
          permit.ended();
        });
        const all = Promise.all(work);
        await clock.advance(3_000_000);
        await all;
        expect(densest(sentAtMs, windowSeconds * 1_000)).toBeLessThanOrEqual(requests);
        const closed = Promise.all(limiters.map((limiter) => limiter.close()));
        await clock.advance(60_000);
        await closed;
      },
    ),
    { numRuns: 25 },
  );
});

it('a store that is read but takes nothing ends each request, instead of being tried without an end', async () => {
  let isFull = true;
  let writes = 0;
  const store = memoryStore(() => {
    writes += 1;
    return isFull ? 'never sent' : null;
  });
  const clock = createFakeClock(START);
  await expect(openOn(store.open(), clock)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  isFull = false;
  const limiter = await openOn(store.open(), clock);
  isFull = true;
  writes = 0;
  await expect(limiter.acquire(NEVER)).rejects.toMatchObject({ code: 'STORE_UNREACHABLE' });
  expect(writes).toBeLessThan(5);
  isFull = false;
  (await limiter.acquire(NEVER)).ended();
  await limiter.close();
});

it('a machine that is lost in the middle of a request frees its place after a minute, and its request counts', async () => {
  const clock = createFakeClock(START, false);
  const store = memoryStore();
  const options = { userLimit: { requests: 2, windowSeconds: 600 }, concurrency: 1 };
  let isCutOff = false;
  const lost = await openOn(
    store.open(() => isCutOff),
    clock,
    options,
  );
  await lost.acquire(NEVER);
  const other = await openOn(store.open(), clock, options);
  let sentAtMs = 0;
  const waiting = oneRequest(other, NOTHING, async () => {
    sentAtMs = clock.nowMs();
  });
  // While it gives signs of life its place is its own, however long the request takes.
  await clock.advance(300_000);
  expect(sentAtMs).toBe(0);
  isCutOff = true;
  await clock.advance(40_000);
  expect(sentAtMs).toBe(0);
  await clock.advance(50_000);
  await waiting;
  expect(other.requestsLeft()).toBe(0);
});

it('old versions are removed', async () => {
  const clock = createFakeClock(START, false);
  const store = memoryStore();
  const limiter = await openOn(store.open(), clock, { userLimit: { requests: 500, windowSeconds: 60 } });
  for (let sent = 0; sent < 130; sent += 1) {
    await oneRequest(limiter);
    await clock.advance(200);
  }
  expect(store.versions.size).toBeLessThan(200);
  const closed = limiter.close();
  await clock.advance(1_000);
  await closed;
});
