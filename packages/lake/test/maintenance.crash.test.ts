import { cp, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommitStep } from '../src/index.ts';
import { buildChild, type ChildScript } from './child-build.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const BATCHES: readonly (readonly SmallEvent[])[] = ['ab', 'cd'].map((ids) =>
  Array.from(ids, (id, hour) => ({ id, timeMs: DAY_1 + hour * HOUR, issuers: ['x', 'y'] })),
);
const ALL = BATCHES.flat();

let child: ChildScript;
let stored: string;
beforeAll(async () => {
  child = await buildChild(new URL('./commit-child.ts', import.meta.url));
  stored = await mkdtemp(join(tmpdir(), 'lake-stored-'));
  await child.run({ directory: stored, batches: BATCHES, killAt: null });
});
afterAll(async () => {
  await child.remove();
  await rm(stored, { recursive: true, force: true });
});

const POINTS: readonly (readonly [CommitStep, number, boolean])[] = [
  ['staged', 1, false],
  ['file-moved', 1, false],
  ['committed', 1, true],
  ['file-trashed', 1, true],
];
const children = (events: string, certificates: string) =>
  `SELECT event_id, (SELECT count(*)::INTEGER FROM ${certificates} c WHERE c.event_id = e.event_id) FROM ${events} e ORDER BY ALL`;
const rowsOf = (ids: string) => Array.from(ids, (id) => [id, 2]);

async function killedCopy(plan: {
  task: string;
  step: CommitStep;
  occurrence: number;
  lost?: string;
}): Promise<string> {
  const directory = await newDirectory();
  await cp(stored, directory, { recursive: true });
  if (plan.lost !== undefined) await rm(join(directory, plan.lost));
  const { task, step, occurrence } = plan;
  const { signal, errors } = await child.run({ directory, batches: [], task, killAt: { step, occurrence } });
  expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' });
  return directory;
}

test.each(POINTS)(
  'a compaction killed at %s (%i) changes nothing that is read',
  async (step, occurrence, isCommitted) => {
    const directory = await killedCopy({ task: 'compact', step, occurrence });
    const copy = await newDirectory();
    await cp(directory, copy, { recursive: true });
    const reader = await openSmall(copy, { readOnly: true, create: false });
    expect(await ask(reader, children('events', 'certificates'))).toEqual(rowsOf('abcd'));
    expect((await reader.snapshot()).files.events).toHaveLength(isCommitted ? 1 : 2);
    await reader.close();
    const writer = await openSmall(directory);
    const inFolders = children(plainRows(directory, 'events'), plainRows(directory, 'certificates'));
    expect(await askPlain(inFolders)).toEqual(rowsOf('abcd'));
    expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
    await writer.compact({}, { runId: 'again', signal: new AbortController().signal });
    expect((await writer.snapshot()).files.events).toHaveLength(1);
    expect(await askPlain(inFolders)).toEqual(rowsOf('abcd'));
  },
);

test.each(POINTS)('forgetting lost files killed at %s (%i) is done or not', async (step, occurrence, isCommitted) => {
  const lake = await openSmall(stored, { readOnly: true, create: false });
  const lost = (await lake.snapshot()).files.certificates?.[1]?.path ?? '';
  await lake.close();
  const directory = await killedCopy({ task: 'forget', step, occurrence, lost });
  const writer = await openSmall(directory);
  expect(await writer.forgetLostFiles('again')).toEqual(isCommitted ? [] : [lost]);
  const inFolders = children(plainRows(directory, 'events'), plainRows(directory, 'certificates'));
  expect(await askPlain(inFolders)).toEqual(rowsOf('ab'));
  expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
  expect(await deliver(writer, ALL)).toMatchObject({ newEvents: 2, unchangedEvents: 2 });
  expect(await ask(writer, children('events', 'certificates'))).toEqual(rowsOf('abcd'));
});
