import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { toEdrlakeError } from '@edrlake/core';
import { expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { type DiskCall, onFailingDisk } from './failing-disk.ts';
import { ask, askPlain, madeOnce, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const event = (id: string, hour: number, score = 1): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score, issuers: ['x', 'y'] },
});
const STORED = [event('a', 0), event('b', 1), event('c', 2)];
/** One changed, one unchanged, and one of a new day: a new folder in two tables. */
const DELIVERED = [event('a', 0, 2), event('b', 1), event('d', 30)];
const copyOfStored = madeOnce(async (lake) => {
  await deliver(lake, STORED.slice(0, 2));
  await deliver(lake, STORED.slice(2));
});

const ROWS = (events: string, children: string) =>
  `SELECT event_id, score, (SELECT count(*)::INTEGER FROM ${children} c WHERE c.event_id = e.event_id) FROM ${events} e ORDER BY ALL`;
const rows = (lake: Lake) => ask(lake, ROWS('events', 'certificates'));
const plain = (directory: string) =>
  askPlain(ROWS(plainRows(directory, 'events'), plainRows(directory, 'certificates')));
const BEFORE = ['a', 'b', 'c'].map((id) => [id, 1, 2]);
const AFTER = [['a', 2, 2], ...['b', 'c', 'd'].map((id) => [id, 1, 2])];
const signal = new AbortController().signal;

const TASKS = {
  commit: { work: (lake: Lake): Promise<unknown> => deliver(lake, DELIVERED), after: AFTER },
  compact: { work: (lake: Lake): Promise<unknown> => lake.compact({}, { runId: 'c', signal }), after: BEFORE },
  vacuum: { work: (lake: Lake): Promise<unknown> => lake.vacuum({ graceMs: -1 }, { signal }), after: BEFORE },
} as const;

/**
 * Makes one call fail. Then either the work is done, or it ends with an error of edrlake other than `BUG`. Readers see
 * the old rows, or, where only the work after the commit point failed, all of the new ones. The next writer completes
 * the commit.
 */
async function survives(task: keyof typeof TASKS, call: DiskCall, errno: string, nth: number): Promise<number> {
  const { work, after } = TASKS[task];
  const name = `${task}: ${errno} in ${call} ${nth}`;
  const directory = await newDirectory();
  await copyOfStored(directory);
  if (task === 'vacuum') {
    const lake = await openSmall(directory);
    await lake.compact({}, { runId: 'c', signal });
    await lake.close();
  }
  const lake = await openSmall(directory);
  const fault = { call, errno, matches: (path: string) => path.startsWith(directory), nth };
  const { calls, outcome } = await onFailingDisk([fault], () => work(lake));
  const error = 'thrown' in outcome ? toEdrlakeError(outcome.thrown) : null;
  if (error !== null) {
    expect({ name, code: error.code, message: error.message }).toMatchObject({
      code: expect.stringMatching(/^(LAKE_(UNWRITABLE|CORRUPT)|VIEWS_STALE)$/),
    });
    expect(error.hint, name).not.toBeNull();
  }
  const reader = await openSmall(directory, { readOnly: true, create: false });
  const seen = await rows(reader);
  const isCommitted = error === null || /is committed, but/.test(error.message) || seen.length === after.length;
  expect({ name, seen }).toEqual({ name, seen: isCommitted ? after : BEFORE });
  await reader.close();
  await lake.close();

  const writer = await openSmall(directory);
  expect({ name, plain: await plain(directory) }).toEqual({ name, plain: isCommitted ? after : BEFORE });
  await work(writer);
  expect({ name, rows: await rows(writer), plain: await plain(directory) }).toEqual({
    ...{ name, rows: after, plain: after },
  });
  await writer.close();
  expect(await readdir(join(directory, '_spool')), name).toEqual(['tmp']);
  expect(await readdir(join(directory, '_spool/tmp')), name).toEqual([]);
  return calls;
}

/** Testing every call takes minutes; set it to 1 after a change of how commits are published. */
const STRIDE = 23;
const CALLS: readonly (readonly [DiskCall, readonly string[]])[] = [
  ['mkdir', ['ENOSPC', 'EDQUOT', 'EIO', 'EACCES']],
  ['rename', ['ENOSPC', 'EIO', 'ENOENT']],
  ['link', ['EIO', 'ENOSPC']],
  ['open', ['EMFILE', 'ENOSPC']],
  ['sync', ['EIO']],
  ['readdir', ['EMFILE', 'EACCES']],
  ['readFile', ['EIO']],
  ['lstat', ['EIO']],
  ['rm', ['EROFS', 'EACCES']],
];
test.each(
  (['commit', 'compact', 'vacuum'] as const).flatMap((task) =>
    CALLS.map(([call, errnos], index) => ({ task, call, errnos, offset: index % 3 })),
  ),
)(
  '$task with a failing $call ends whole or not at all',
  async ({ task, call, errnos, offset }) => {
    for (const [index, errno] of errnos.entries()) {
      // The first errno at every nth call, until none is left to fail; the others at the second call.
      if (index > 0) await survives(task, call, errno, 2);
      else for (let nth = 1 + offset; (await survives(task, call, errno, nth)) >= nth; nth += STRIDE);
    }
  },
  60_000,
);

test('a file counts as present only when it was seen there: a failed folder publishes nothing', async () => {
  for (const table of ['events', 'certificates', '_ids']) {
    const directory = await newDirectory();
    await copyOfStored(directory);
    const lake = await openSmall(directory);
    const matches = (path: string) => path.startsWith(`${directory}/${table}`);
    // As if the system had lost a rename that it called done: what Node reports is not always what happened.
    const { outcome } = await onFailingDisk([{ call: 'rename', errno: 'SKIPPED', matches, nth: 1 }], () =>
      deliver(lake, DELIVERED),
    );
    expect(outcome).toMatchObject({ thrown: { code: 'LAKE_UNWRITABLE', message: /did not arrive/ } });
    expect(await rows(lake)).toEqual(BEFORE);
    expect(await deliver(lake, DELIVERED)).toMatchObject({ version: 3, newEvents: 1 });
    expect(await plain(directory)).toEqual(AFTER);
    await lake.close();
  }
});

test.each([
  ['of the table', /\/lake\/(events|certificates)\/event_date=2020-08-18$/],
  ['of staged files', /\/_spool\/tmp\/.*\/(events|certificates)\/event_date=2020-08-18$/],
])('while a folder %s cannot be made, nothing is committed, and the next run brings it', async (_, pattern) => {
  for (const errno of ['ENOSPC', 'EDQUOT', 'EIO', 'ENOENT']) {
    const directory = await newDirectory();
    await copyOfStored(directory);
    const lake = await openSmall(directory);
    const matches = (path: string) => pattern.test(path);
    const { outcome } = await onFailingDisk([{ call: 'mkdir', errno, matches, nth: null }], () =>
      deliver(lake, DELIVERED),
    );
    expect(outcome).toMatchObject({ thrown: { code: 'LAKE_UNWRITABLE', context: { errno } } });
    expect(await rows(lake)).toEqual(BEFORE);
    await lake.close();
    expect(await deliver(await openSmall(directory), DELIVERED)).toMatchObject({ version: 3, newEvents: 1 });
    expect(await plain(directory)).toEqual(AFTER);
  }
});

test('what a compaction replaced and could not move away is moved by the next writer, and said', async () => {
  const directory = await newDirectory();
  await copyOfStored(directory);
  const lake = await openSmall(directory);
  const matches = (path: string) => path.includes('/_trash/');
  const { outcome } = await onFailingDisk([{ call: 'mkdir', errno: 'EIO', matches, nth: null }], () =>
    lake.compact({}, { runId: 'c', signal }),
  );
  expect(outcome).toMatchObject({
    thrown: { code: 'LAKE_UNWRITABLE', message: /version 3 is committed/, hint: /The next command that writes/ },
  });
  await lake.close();
  await openSmall(directory);
  expect(await plain(directory)).toEqual(BEFORE);
});

test('in doubt whether a commit happened nothing is taken back', async () => {
  for (const isIn of [true, false]) {
    const directory = await newDirectory();
    await copyOfStored(directory);
    const lake = await openSmall(directory);
    const entry = `_log/${'3'.padStart(20, '0')}.json`;
    const faults = [
      isIn
        ? { call: 'sync' as const, errno: 'EIO', matches: (path: string) => path.endsWith('/_log'), nth: null }
        : { call: 'link' as const, errno: 'EIO', matches: (path: string) => path.endsWith(entry), nth: null },
      { call: 'readFile' as const, errno: 'EMFILE', matches: (path: string) => path.endsWith(entry), nth: 2 },
    ];
    const { outcome } = await onFailingDisk(faults, () => deliver(lake, DELIVERED));
    expect(outcome).toMatchObject({ thrown: { code: 'LAKE_UNWRITABLE', message: /may or may not be committed/ } });
    const reader = await openSmall(directory, { readOnly: true, create: false });
    expect(await rows(reader)).toEqual(isIn ? AFTER : BEFORE);
    await lake.close();
    const writer = await openSmall(directory);
    expect(await plain(directory)).toEqual(isIn ? AFTER : BEFORE);
    await deliver(writer, DELIVERED);
    expect(await rows(writer)).toEqual(AFTER);
  }
});
