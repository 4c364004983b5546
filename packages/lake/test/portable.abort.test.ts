import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { CommitStep } from '../src/index.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, rowBatchOf, type SmallEvent } from './small-lake.ts';

/** How long Ctrl-C may take. */
const STOP_MS = 2_000;

const reason = new Error('stopped by the test');

/** Events of two days; each may be changed. */
const eventsOf = (count: number, score: number): SmallEvent[] =>
  Array.from({ length: count }, (_, n) => {
    return { id: `e${n}`, timeMs: DAY_1 + (n % 2) * DAY, score, issuers: ['x'] };
  });

async function filesBelow(directory: string): Promise<string[]> {
  const names = await readdir(directory, { recursive: true });
  return names.filter((name) => name.endsWith('.parquet')).sort();
}

describe('a commit of the portable writer that is aborted', () => {
  // Writing 20,000 rows takes some eighty turns of the event loop.
  const moments: readonly (readonly [string, CommitStep | null, number])[] = [
    ['before it compares', null, 0],
    ['before it writes', 'screened', 0],
    ['in the middle of a file', 'screened', 10],
    ['before it publishes', 'staged', 0],
  ];
  test.each(moments)('%s ends soon, and the lake is whole', async (_, at, turns) => {
    const directory = await newDirectory();
    const controller = new AbortController();
    let [step, abortedAtMs]: [CommitStep | null, number] = [null, 0];
    const abort = (afterTurns = 0) => {
      if (afterTurns > 0) setImmediate(() => abort(afterTurns - 1));
      else {
        abortedAtMs = performance.now();
        controller.abort(reason);
      }
    };
    const lake = await openSmall(directory, {
      writer: 'parquetjs',
      onStep: (reached) => {
        if (step !== null && reached === step) abort(turns);
      },
    });
    await deliver(lake, eventsOf(2_000, 1));
    const before = await filesBelow(directory);
    step = at;
    const changed = rowBatchOf(eventsOf(20_000, 2));
    if (at === null) abort();
    const { signal } = controller;
    const commit = lake.commit({ batch: changed, proofs: [], runId: 'test', signal });
    if (at === 'staged') {
      // All of it is written: the commit is the quicker way to an end, and whole.
      await commit;
    } else {
      await expect(commit).rejects.toBe(reason);
      expect((await lake.snapshot()).version).toBe(1);
      expect(await filesBelow(directory)).toEqual(before);
    }
    expect(performance.now() - abortedAtMs).toBeLessThan(STOP_MS);
    // The same open lake goes on from there.
    step = null;
    await lake.commit({ batch: changed, proofs: [], runId: 'test' });
    expect(await ask(lake, 'SELECT count(*)::INTEGER, min(score), max(score) FROM events')).toEqual([[20_000, 2, 2]]);
    expect((await lake.snapshot()).version).toBe(2);
    await lake.close();
    expect(await readdir(join(directory, '_spool/tmp'))).toEqual([]);
  });
});
