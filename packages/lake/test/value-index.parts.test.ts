import { hash } from 'node:crypto';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver } from './small-lake.ts';

const run = { runId: 'r', signal: new AbortController().signal };

interface Part {
  readonly from: number;
  readonly keys: readonly [number, number] | null;
}

function sought(text: string): Indicator {
  const indicator = recognise(text);
  if (indicator === null) throw new Error(text);
  return indicator;
}

/** A name of many labels has an entry for each name above it: together more entries than two row groups hold. */
const LABELS = 60;
const NAMES = Array.from({ length: 4_400 }, (_, n) => {
  const labels = Array.from({ length: LABELS - 1 }, (_, label) => `n${n}l${label}`);
  return [...labels, 'example'];
});
const STORED = NAMES.map((labels) => labels.slice(-5).join('.'));
const ABSENT = Array.from({ length: 1_000 }, (_, n) => `absent${n}.example`);

/** A name is looked for as a domain and as a host. */
const keysOf = (name: string) =>
  ['domain', 'host'].map((kind) => hash('md5', `${kind}:${name}`, 'buffer').readUIntLE(0, 5));

async function indexed(): Promise<[Lake, string, Part[]]> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  await deliver(
    lake,
    NAMES.map((labels, n) => ({ id: `F_${n}`, timeMs: DAY_1 + n, type: labels.join('.') })),
  );
  await lake.indexValues({}, run);
  const [line = ''] = (await readFile(join(directory, '_values/index.json'), 'utf8')).split('\n');
  const { segments } = JSON.parse(line) as { segments: { path: string; parts: Part[] }[] };
  expect(segments).toHaveLength(1);
  return [lake, join(directory, segments[0]?.path ?? ''), segments[0]?.parts ?? []];
}

describe('a file of the index that is damaged in part', () => {
  test('answers for keys of its other parts, and for no key of the damaged one', async () => {
    const [lake, file, parts] = await indexed();
    expect(parts.length).toBeGreaterThanOrEqual(4);
    expect(parts.at(-1)?.keys).toBeNull();
    const inPart = (position: number, names: readonly string[]) => {
      const [first, last] = parts[position]?.keys ?? [0, 0];
      return names.find((name) => keysOf(name).every((key) => first < key && key < last)) ?? '';
    };
    const filesRead = async (...texts: string[]) => (await lake.hunt(texts.map(sought))).filesRead;
    const matches = async (...texts: string[]) => (await lake.hunt(texts.map(sought))).matches;
    expect(await filesRead(inPart(1, ABSENT))).toBe(0);
    const whole = await readFile(file);
    const damage = async (at: number) => {
      const bytes = Buffer.from(whole);
      bytes.writeUInt8(bytes.readUInt8(at) ^ 0xff, at);
      await writeFile(file, bytes);
    };
    await damage((parts[1]?.from ?? 0) + 50);
    expect(await filesRead(inPart(0, ABSENT), inPart(2, ABSENT))).toBe(0);
    expect(await filesRead(inPart(1, ABSENT))).toBe(1);
    expect(await matches(inPart(0, STORED), inPart(1, STORED), inPart(2, STORED))).toBe(3);
    // A long list is joined, for which DuckDB may read any part.
    expect(await filesRead(...ABSENT)).toBe(1);
    await damage((parts.at(-1)?.from ?? 0) + 20);
    expect(await filesRead(inPart(0, ABSENT))).toBe(1);
    await writeFile(file, Buffer.concat([whole, whole.subarray(-8)]));
    expect(await filesRead(inPart(0, ABSENT))).toBe(1);
    await writeFile(file, whole);
    expect(await filesRead(inPart(0, ABSENT))).toBe(0);
    expect(await matches(inPart(0, STORED), inPart(1, STORED), inPart(2, STORED))).toBe(3);
    expect((await readdir(join(file, '..'))).length).toBe(2);
    await lake.close();
  });
});
