import { renameSync } from 'node:fs';
import { readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RunEvent } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { onFailingDisk } from './failing-disk.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { putEntry, whileReplaced } from './overtaking.ts';
import { DAY_1, deliver, proofOf } from './small-lake.ts';

describe('a writer that is overtaken', () => {
  test('takes its files back and commits on top of the other', async () => {
    const directory = await newDirectory();
    const events: RunEvent[] = [];
    let overtakes = 2;
    const lake = await openSmall(directory, {
      emit: (event) => events.push(event),
      onStep: (step) => {
        if (step === 'files-moved' && overtakes > 0) putEntry(directory, 3 - overtakes--);
      },
    });
    const result = await deliver(lake, [{ id: 'a', timeMs: DAY_1, issuers: ['x'] }], { rejects: ['r'] });
    expect(result).toMatchObject({ version: 3, newEvents: 1, filesAdded: 3 });
    expect(events.filter(({ type }) => type === 'commit-contended')).toEqual([
      { type: 'commit-contended', version: 1, attempt: 1 },
      { type: 'commit-contended', version: 2, attempt: 2 },
    ]);
    expect(await ask(lake, 'SELECT event_id FROM events')).toEqual([['a']]);
    expect(await readdir(join(directory, 'events/event_date=2020-08-17'))).toHaveLength(1);
    expect(await readdir(join(directory, '_ids'))).toHaveLength(1);
  });

  test('gives up after many attempts, with the lake as it was', async () => {
    const directory = await newDirectory();
    let version = 0;
    const lake = await openSmall(directory, {
      onStep: (step) => {
        if (step === 'files-moved') putEntry(directory, ++version);
      },
    });
    const commit = lake.commit({ batch: null, proofs: [proofOf([0, 1], {})], runId: 'test' });
    await expect(commit).rejects.toMatchObject({ code: 'LAKE_CONTENDED', disposition: 'retry' });
    expect((await lake.snapshot()).proofs).toEqual([]);
    expect(await readdir(join(directory, '_spool'))).toEqual(['tmp']);
  });

  test('that cannot write leaves the lake as it was', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await writeFile(join(directory, 'rejects'), 'in the way');
    const events = [{ id: 'a', timeMs: DAY_1, issuers: ['x'] }];
    await expect(deliver(lake, events, { rejects: ['r'] })).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE' });
    expect((await lake.snapshot()).version).toBe(0);
    expect(await readdir(join(directory, 'events/event_date=2020-08-17'))).toEqual([]);
    await rm(join(directory, 'rejects'));
    expect(await deliver(lake, events, { rejects: ['r'] })).toMatchObject({ version: 1, newEvents: 1 });
  });
});

describe('a writer whose files are replaced after it found rows in them', () => {
  test('changes the event in the new file', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [
      { id: 'a', timeMs: DAY_1, score: 1, issuers: ['x'] },
      { id: 'b', timeMs: DAY_1, score: 1 },
    ]);
    const outcome = await whileReplaced(directory, () => deliver(lake, [{ id: 'a', timeMs: DAY_1, score: 2 }]));
    expect(outcome).toMatchObject({ isReplaced: true, value: { version: 3, changedEvents: 1 } });
    expect(await ask(lake, 'SELECT event_id, score FROM events ORDER BY ALL')).toEqual([
      ['a', 2],
      ['b', 1],
    ]);
  });

  test('fails with the damage when the file is lost, not replaced', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [
      { id: 'a', timeMs: DAY_1, score: 1 },
      { id: 'b', timeMs: DAY_1, score: 1 },
    ]);
    const [path] = (await lake.snapshot()).files.events?.map((file) => file.path) ?? [];
    let isLost = false;
    const matches = (location: string) => {
      if (!isLost && location.endsWith(`${path}`)) renameSync(location, join(directory, '_spool/tmp/gone'));
      isLost ||= location.endsWith(`${path}`);
      return false;
    };
    const work = () => deliver(lake, [{ id: 'a', timeMs: DAY_1, score: 2 }]);
    const { outcome } = await onFailingDisk([{ call: 'open', errno: 'EIO', nth: null, matches }], work);
    expect(outcome).toMatchObject({ thrown: { code: 'LAKE_CORRUPT', context: { path } } });
  });
});

describe('the id index', () => {
  test('stays a handful of files however many commits there are', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    for (let n = 0; n < 20; n += 1) await deliver(lake, [{ id: `e${n}`, timeMs: DAY_1 }]);
    expect((await lake.snapshot()).idFiles.map(({ level, rowCount }) => [level, rowCount])).toEqual([
      ...[
        [1, 8],
        [1, 8],
      ],
      ...[
        [0, 1],
        [0, 1],
        [0, 1],
        [0, 1],
      ],
    ]);
    expect(await readdir(join(directory, '_ids'))).toHaveLength(6);
    expect(await deliver(lake, [{ id: 'e0', timeMs: DAY_1 }])).toMatchObject({ version: 20, unchangedEvents: 1 });
  });

  test('is rebuilt when one of its files is lost', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    const events = [
      { id: 'a', timeMs: DAY_1 },
      { id: 'b', timeMs: DAY_1, issuers: ['x'] },
    ];
    await deliver(lake, events, { rejects: ['r'] });
    await deliver(lake, [{ id: 'c', timeMs: DAY_1 }]);
    const [first] = (await lake.snapshot()).idFiles;
    await rm(join(directory, first?.path ?? ''));
    const result = await deliver(lake, [...events, { id: 'd', timeMs: DAY_1 }], { rejects: ['r'] });
    expect(result).toMatchObject({ newEvents: 1, changedEvents: 0, unchangedEvents: 2, filesAdded: 1 });
    expect(await ask(lake, 'SELECT (SELECT count(*) FROM events), (SELECT count(*) FROM rejects)')).toEqual([[4, 1]]);
    expect(await readdir(join(directory, '_ids'))).toHaveLength(2);
    expect(await deliver(lake, events)).toMatchObject({ version: 3 });
  });

  test('that cannot be read is rebuilt from the data', async () => {
    const directory = await newDirectory();
    const lake = await openSmall(directory);
    await deliver(lake, [{ id: 'a', timeMs: DAY_1 }]);
    const [file] = (await lake.snapshot()).idFiles;
    await writeFile(join(directory, file?.path ?? ''), 'not parquet');
    const events = [
      { id: 'a', timeMs: DAY_1 },
      { id: 'b', timeMs: DAY_1 },
    ];
    expect(await deliver(lake, events)).toMatchObject({ newEvents: 1, changedEvents: 0, unchangedEvents: 1 });
    expect(await ask(lake, 'SELECT count(*) FROM events')).toEqual([[2]]);
  });
});
