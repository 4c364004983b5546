import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Writable } from 'node:stream';
import { systemClock } from '@edrlake/core';
import { openEdrLake } from '@edrlake/runner/open-lake';
import { expect, test } from 'vitest';
import { writeResult } from '../src/query/query-output.ts';

test.each(['arrow', 'csv', 'ndjson'] as const)('a slow reader of %s holds the query back', async (format) => {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-slow-'));
  const options = { create: true, readOnly: false };
  const lake = await openEdrLake(join(directory, 'lake'), options, { clock: systemClock, emit: () => {} });
  let [total, waiting] = [0, 0];
  const slow = new Writable({
    write(piece: Uint8Array, _encoding, done) {
      total += piece.length;
      // The producer has a turn between any two pieces.
      setImmediate(() => {
        waiting = Math.max(waiting, slow.writableLength);
        done();
      });
    },
  });
  try {
    const sql = `select range, repeat('x', 1000) as x from range(60000)`;
    await writeResult(slow, { lake, sql, format, signal: new AbortController().signal }, null);
    expect(total).toBeGreaterThan(60_000_000);
    expect(waiting).toBeLessThan(20_000_000);
  } finally {
    await lake.close();
    await rm(directory, { recursive: true, force: true });
  }
});
