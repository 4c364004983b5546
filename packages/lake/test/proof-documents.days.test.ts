import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { systemClock } from '@edrlake/core';
import { describe, expect, test } from 'vitest';
import { examineLake, type Lake } from '../src/index.ts';
import { askPlain, newDirectory, openSmall, plainRows } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOfDays, SMALL_DATASET, type SmallEvent } from './small-lake.ts';

const signal = new AbortController().signal;
const [D1, D2, D3] = ['2020-08-17', '2020-08-18', '2020-08-19'] as const;
const event = (id: string, hour: number, score = 1): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, processedMs: DAY_1 + (hour + score) * HOUR, score, issuers: ['x'] },
});
const EVENTS = [event('a', 0), event('b', 1), event('c', 30), event('d', 50)];

/** A lake of three days, the last of them not proven, closed. */
async function threeDays(): Promise<string> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  await deliver(lake, EVENTS, { proofs: [proofOfDays(DAY_1, 2, EVENTS.slice(0, 3))], rejects: ['no id'] });
  await lake.close();
  return directory;
}

const documentAt = async (directory: string, day: string) =>
  JSON.parse(await readFile(join(directory, '_proof', `${day}.json`), 'utf8')) as Record<string, never>;
const namesIn = async (directory: string) => (await readdir(join(directory, '_proof'))).sort();
const inodesOf = async (directory: string) =>
  Object.fromEntries(
    await Promise.all(
      (await namesIn(directory)).map(async (name) => [name, (await stat(join(directory, '_proof', name))).ino]),
    ),
  ) as Record<string, number>;
const damageOf = async (directory: string) =>
  (await examineLake({ directory, dataset: SMALL_DATASET, clock: systemClock })).map(({ part }) => part);
async function changed(directory: string, work: (lake: Lake) => Promise<unknown>): Promise<string[]> {
  const before = await inodesOf(directory);
  const lake = await openSmall(directory);
  await work(lake);
  await lake.close();
  const after = await inodesOf(directory);
  return Object.keys(after).filter((name) => before[name] !== after[name]);
}

describe('proof documents', () => {
  test('state counts, windows, files and digests of each day with data', async () => {
    const directory = await threeDays();
    expect(await namesIn(directory)).toEqual([`${D1}.json`, `${D2}.json`, `${D3}.json`, 'index.json']);
    const lake = await openSmall(directory);
    await lake.compact({ range: { startMs: DAY_1, endMs: DAY_1 + DAY } }, { runId: 'test', signal });
    await lake.close();
    const { files } = await lake.snapshot();
    const [first] = files.events?.filter(({ partition }) => partition.endsWith(D1)) ?? [];
    const document = await documentAt(directory, D1);
    expect(document).toMatchObject({
      ...{ format: 1, day: D1, version: 2, schemaVersion: 1, proven: true },
      coverage: [{ scope: 'all', counted: 2, inLake: 2, rejected: 0, verdict: 'complete' }],
      windows: [{ axis: 'event', counted: 3, fetched: 3, distinct: 3, ofThisDay: 2, verdict: 'proven', scope: 'all' }],
      tables: { events: { rows: 2, digest: first?.digest }, certificates: { rows: 2 } },
    });
    expect(document.files).toContainEqual({
      ...{ table: 'events', path: first?.path, rows: 2, bytes: first?.fileBytes, crc32: first?.crc32 },
      digest: first?.digest,
    });
    expect(await documentAt(directory, D3)).toMatchObject({
      ...{ proven: false, version: 1, windows: [], tables: { events: { rows: 1, digest: null } } },
    });
    expect(await askPlain(`SELECT count(*) FROM ${plainRows(directory, 'events')}`)).toEqual([['4']]);
    expect(await damageOf(directory)).toEqual([]);
  });

  test('are written only of days that a commit changed, or that it proves', async () => {
    const directory = await threeDays();
    expect(await changed(directory, async () => undefined)).toEqual([]);
    expect(await changed(directory, (lake) => deliver(lake, [event('b', 1, 5)]))).toEqual([`${D1}.json`, 'index.json']);
    const proofs = [proofOfDays(DAY_1 + 2 * DAY, 1, EVENTS.slice(3))];
    expect(await changed(directory, (lake) => deliver(lake, [], { proofs }))).toEqual([`${D3}.json`, 'index.json']);
    expect(await documentAt(directory, D3)).toMatchObject({ proven: true, version: 3 });
    await deliverReplacing(directory);
    expect(await namesIn(directory)).toEqual([`${D1}.json`, `${D2}.json`, 'index.json']);
  });

  test('are brought up to date by the next writer where a crash, or a user, left them behind', async () => {
    const directory = await threeDays();
    const text = await readFile(join(directory, '_proof/index.json'), 'utf8');
    const older = await documentAt(directory, D1);
    await changed(directory, (lake) => deliver(lake, [event('b', 1, 5)]));
    const newer = await documentAt(directory, D1);
    // As if the process had died before it wrote the documents.
    await writeFile(join(directory, `_proof/${D1}.json`), `${JSON.stringify(older)}\n`);
    await writeFile(join(directory, '_proof/index.json'), text);
    expect(await damageOf(directory)).toEqual(['proofs']);
    const reader = await openSmall(directory, { readOnly: true });
    expect(await reader.verify(null, signal)).toMatchObject({ findings: [], version: 2, proofVersion: 1 });
    await reader.close();
    await changed(directory, async () => undefined);
    expect(await documentAt(directory, D1)).toEqual(newer);
    await rm(join(directory, `_proof/${D2}.json`));
    expect(await damageOf(directory)).toEqual(['proofs']);
    await changed(directory, async () => undefined);
    expect(await damageOf(directory)).toEqual([]);
    await rm(join(directory, '_proof'), { recursive: true });
    await (await openSmall(directory)).close();
    expect(await namesIn(directory)).toContain(`${D2}.json`);
  });

  test('show verify a file that was rewritten together with everything that the log says of it', async () => {
    const directory = await threeDays();
    const lake = await openSmall(directory);
    const [file] = (await lake.snapshot()).files.events?.filter(({ partition }) => partition.endsWith(D2)) ?? [];
    if (file === undefined) throw new Error('no file');
    await lake.close();
    const location = join(directory, file.path);
    await askPlain(`COPY (SELECT * REPLACE (score + 1 AS score) FROM '${location}') TO '${location}' (FORMAT parquet)`);
    const content = await readFile(location);
    const path = join(directory, '_log/00000000000000000001.json');
    const { crc32: _, ...entry } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
    const forged = { ...file, fileBytes: content.length, crc32: crc32(content) };
    const text = JSON.stringify(entry).replace(JSON.stringify(file), JSON.stringify(forged));
    expect(text).toContain(JSON.stringify(forged));
    const sum = crc32(text).toString(16).padStart(8, '0');
    await writeFile(path, `${text.slice(0, -1)},"crc32":"${sum}"}`);
    const reader = await openSmall(directory, { readOnly: true });
    const report = await reader.verify(null, signal);
    expect(report.findings).toEqual([
      { day: D2, table: 'events', path: file.path, found: expect.stringContaining(`_proof/${D2}.json`) },
    ]);
    await writeFile(join(directory, `_proof/${D3}.json`), '{}');
    const both = await reader.verify(null, signal);
    expect(both.findings.map(({ path: at }) => at)).toEqual([file.path, `_proof/${D3}.json`]);
  });
});

/** Deletes the only event of the third day. */
async function deliverReplacing(directory: string): Promise<void> {
  const lake = await openSmall(directory);
  await deliver(lake, [], { proofs: [proofOfDays(DAY_1 + 2 * DAY, 1, [])], replace: true });
  await lake.close();
}
