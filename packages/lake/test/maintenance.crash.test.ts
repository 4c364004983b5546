import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { CommitStep } from '../src/index.ts';
import { buildChild, type ChildScript } from './child-build.ts';
import { chosenOf, copyLake, filesOf, IN_OBJECTS, loseFile, urlOf } from './lake-homes.ts';
import { ask, askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const BATCHES: readonly (readonly SmallEvent[])[] = ['ab', 'cd'].map((ids) =>
  Array.from(ids, (id, hour) => ({
    ...{ id, timeMs: DAY_1 + hour * HOUR, issuers: ['x', 'y'] },
    ...(id !== 'a' && { extra: `{"a":{"b":"${id}"},"c":1.0}` }),
  })),
);
const ALL = BATCHES.flat();

let child: ChildScript;
let stored: string;
beforeAll(async () => {
  child = await buildChild(new URL('./commit-child.ts', import.meta.url));
  stored = await mkdtemp(join(tmpdir(), 'lake-stored-'));
  await child.run({ directory: stored, ...(await urlOf(stored)), batches: BATCHES, killAt: null });
});
afterAll(async () => {
  await child.remove();
  await rm(stored, { recursive: true, force: true });
});

const ALL_POINTS: readonly (readonly [CommitStep, number, boolean])[] = [
  ['staged', 1, false],
  ['file-moved', 1, false],
  ['committed', 1, true],
  ['file-trashed', 1, true],
];
// In an object store replaced files keep their places.
const POINTS = chosenOf(ALL_POINTS.filter(([step]) => !(IN_OBJECTS && step === 'file-trashed')));
const children = (events: string, certificates: string) =>
  `SELECT event_id, (SELECT count(*)::INTEGER FROM ${certificates} c WHERE c.event_id = e.event_id) FROM ${events} e ORDER BY ALL`;
const childrenInFiles = async (directory: string) => {
  const files = await filesOf(directory);
  return children(plainRows(files, 'events'), plainRows(files, 'certificates'));
};
const rowsOf = (ids: string) => Array.from(ids, (id) => [id, 2]);

async function killedCopy(plan: {
  task: string;
  step: CommitStep;
  occurrence: number;
  lost?: string;
}): Promise<string> {
  const directory = await newDirectory();
  await copyLake(stored, directory);
  if (plan.lost !== undefined) await loseFile(directory, plan.lost);
  const { task, step, occurrence } = plan;
  const request = { directory, ...(await urlOf(directory)), batches: [], task, killAt: { step, occurrence } };
  const { signal, errors } = await child.run(request);
  expect({ signal, errors }).toEqual({ signal: 'SIGKILL', errors: '' });
  return directory;
}

test.each(POINTS)(
  'a compaction killed at %s (%i) changes nothing that is read',
  async (step, occurrence, isCommitted) => {
    const directory = await killedCopy({ task: 'compact', step, occurrence });
    const copy = await newDirectory();
    await copyLake(directory, copy);
    const reader = await openSmall(copy, { readOnly: true, create: false });
    expect(await ask(reader, children('events', 'certificates'))).toEqual(rowsOf('abcd'));
    expect((await reader.snapshot()).files.events).toHaveLength(isCommitted ? 1 : 2);
    await reader.close();
    const writer = await openSmall(directory);
    expect(await askPlain(await childrenInFiles(directory))).toEqual(rowsOf('abcd'));
    expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
    await writer.compact({}, { runId: 'again', signal: new AbortController().signal });
    expect((await writer.snapshot()).files.events).toHaveLength(1);
    expect(await askPlain(await childrenInFiles(directory))).toEqual(rowsOf('abcd'));
  },
);

test.each(POINTS)('forgetting lost files killed at %s (%i) is done or not', async (step, occurrence, isCommitted) => {
  const lake = await openSmall(stored, { readOnly: true, create: false });
  const lost = (await lake.snapshot()).files.certificates?.[1]?.path ?? '';
  await lake.close();
  const directory = await killedCopy({ task: 'forget', step, occurrence, lost });
  const writer = await openSmall(directory);
  expect(await writer.forgetLostFiles('again')).toEqual(isCommitted ? [] : [lost]);
  expect(await askPlain(await childrenInFiles(directory))).toEqual(rowsOf('ab'));
  expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
  expect(await deliver(writer, ALL)).toMatchObject({ newEvents: 2, unchangedEvents: 2 });
  expect(await ask(writer, children('events', 'certificates'))).toEqual(rowsOf('abcd'));
});

test.each(POINTS)(
  'a promotion and its undoing killed at %s (%i) are done or not',
  async (step, occurrence, isCommitted) => {
    const directory = await killedCopy({ task: 'promote', step, occurrence });
    const lake = await openSmall(directory);
    const told = "SELECT event_id, coalesce(extra->>'$.a.b', '-') FROM events ORDER BY 1";
    const column = 'SELECT event_id, a_b, extra::VARCHAR FROM events ORDER BY 1';
    const ids = ['b', 'c', 'd'];
    const rest = [['a', null, null], ...ids.map((id) => [id, id, '{"c":1.0}'])];
    const whole = [['a', '-'], ...ids.map((id) => [id, id])];
    if (!isCommitted) expect(await ask(lake, told)).toEqual(whole);
    await lake.promote({ path: 'a.b' }, { runId: 'again', signal: new AbortController().signal });
    expect(await ask(lake, column)).toEqual(rest);
    expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
    await lake.close();
    const request = {
      directory,
      ...(await urlOf(directory)),
      batches: [],
      task: 'demote',
      killAt: { step, occurrence },
    };
    expect(await child.run(request)).toMatchObject({ signal: 'SIGKILL', errors: '' });
    const after = await openSmall(directory);
    expect(await ask(after, isCommitted ? told : column)).toEqual(isCommitted ? whole : rest);
    expect((await after.verify(null, new AbortController().signal)).findings).toEqual([]);
  },
);
