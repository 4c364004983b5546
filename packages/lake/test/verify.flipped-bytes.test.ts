import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { seededRandom } from '@edrlake/core';
import { expect, test } from 'vitest';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const signal = new AbortController().signal;
const SEEDS = 100;

/** Thirty days, half of them compacted, so that files of both layouts are hit. */
async function thirtyDays() {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  const events = Array.from(
    { length: 30 * 12 },
    (_, n): SmallEvent => ({ id: `F_${n}`, timeMs: DAY_1 + n * 2 * HOUR, score: n, issuers: ['CN=a', `CN=${n}`] }),
  );
  await deliver(lake, events, { rejects: ['no id'] });
  await lake.compact({ range: { startMs: DAY_1, endMs: DAY_1 + 15 * DAY } }, { runId: 'test', signal });
  const files = Object.values((await lake.snapshot()).files).flat();
  expect(new Set(files.map(({ partition }) => partition)).size).toBe(31);
  return { directory, lake, files };
}

test(`names the day and file of one flipped byte and nothing else, ${SEEDS} of ${SEEDS} times`, async () => {
  const { directory, lake, files } = await thirtyDays();
  expect((await lake.verify(null, signal)).findings).toEqual([]);
  const hit = new Set<string>();
  for (let seed = 1; seed <= SEEDS; seed += 1) {
    const random = seededRandom(seed);
    const file = files[Math.floor(random() * files.length)];
    if (file === undefined) throw new Error('no file');
    const location = join(directory, file.path);
    const intact = await readFile(location);
    const broken = Buffer.from(intact);
    const position = Math.floor(random() * broken.length);
    broken.writeUInt8(broken.readUInt8(position) ^ (1 + Math.floor(random() * 255)), position);
    await writeFile(location, broken);
    const { findings } = await lake.verify(null, signal);
    const day = file.partition.slice(file.partition.indexOf('=') + 1);
    expect({ seed, findings }).toMatchObject({ seed, findings: [{ day, table: file.table, path: file.path }] });
    await writeFile(location, intact);
    hit.add(file.path);
  }
  expect(hit.size).toBeGreaterThan(SEEDS / 3);
}, 600_000);
