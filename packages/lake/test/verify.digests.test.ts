import { createHash } from 'node:crypto';
import { readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { describe, expect, test } from 'vitest';
import type { Lake } from '../src/index.ts';
import { askPlain, madeOnce, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, SMALL_TABLES, type SmallEvent, table } from './small-lake.ts';

const signal = new AbortController().signal;
const TEXTS = ['C:\\a b', 'ü\u{1f600}', '', "it's", 'a\u001eb\u001fc'];
const hourly = (first: number, count: number): SmallEvent[] =>
  Array.from({ length: count }, (_, n) => ({
    id: `F_${first + n}`,
    timeMs: DAY_1 + (first + n) * HOUR + n,
    score: n % 3 === 0 ? null : n - 4,
    agent: TEXTS[n % TEXTS.length] ?? '',
    issuers: ['CN=a', `CN=${n}`].slice(0, n % 3),
  }));
const twoDays = madeOnce(async (lake) => {
  await deliver(lake, hourly(0, 20), { rejects: ['no id', { record: 'a', timeMs: DAY_1 }] });
  await deliver(lake, hourly(20, 20));
});

async function stored(): Promise<{ readonly directory: string; readonly lake: Lake }> {
  const directory = await newDirectory();
  await twoDays(directory);
  return { directory, lake: await openSmall(directory) };
}

const compact = (lake: Lake) => lake.compact({}, { runId: 'test', signal });
const contentOf = async (lake: Lake) => (await lake.verify(null, signal)).days.map(({ files, ...content }) => content);
const digestsOf = async (lake: Lake) =>
  Object.values((await lake.snapshot()).files)
    .flat()
    .map(({ digest }) => digest);

/** The digest as docs/lake-format.md defines it, from values that another reader has read. */
function digestByDefinition(rows: readonly Readonly<Record<string, string | null>>[]): string {
  let total = 0n;
  for (const row of rows) {
    const names = Object.keys(row).sort();
    const text = names.flatMap((name) => (row[name] == null ? [] : `${name}\u001f${row[name]}`)).join('\u001e');
    const md5 = createHash('md5').update(text, 'utf8').digest().reverse();
    total += BigInt(`0x${md5.toString('hex')}`);
  }
  return (total % (1n << 128n)).toString(16).padStart(32, '0');
}

describe('verify', () => {
  test('computes the documented digest of each day and table, which compaction keeps', async () => {
    const { directory, lake } = await stored();
    const before = await lake.verify(null, signal);
    const rowCount = (name: string) => before.days.filter((day) => day.table === name).map((day) => day.rowCount);
    expect([rowCount('events'), rowCount('rejects')]).toEqual([[24, 16], [2]]);
    expect(before).toMatchObject({ findings: [], withoutDigest: before.files });
    for (const { day, table: name, digest } of before.days) {
      const spec = SMALL_TABLES.find((each) => each.name === name);
      const columns = spec?.columns.filter((column) => column.name !== spec.partitionBy) ?? [];
      const values = columns.map(({ name: column, type }) =>
        type === 'timestamp' ? `epoch_us(${column})::VARCHAR` : `${column}::VARCHAR`,
      );
      const folder = `${directory}/${name}/${spec?.partitionBy}=${day}`;
      const rows = await askPlain(`SELECT ${values.join(', ')} FROM read_parquet('${folder}/*.parquet')`);
      const named = rows.map((row) =>
        Object.fromEntries(columns.map(({ name: column }, n) => [column, (row[n] ?? null) as string | null])),
      );
      expect({ day, name, digest }).toEqual({ day, name, digest: digestByDefinition(named) });
    }
    await compact(lake);
    const after = await lake.verify(null, signal);
    expect(after).toMatchObject({ findings: [], withoutDigest: 0, rows: before.rows });
    expect(await contentOf(lake)).toEqual(before.days.map(({ files, ...content }) => content));
    expect(after.files).toBeLessThan(before.files);
  });

  test('knows the digest of a copy without replaced rows, and sums up what is merged again', async () => {
    const { lake } = await stored();
    await compact(lake);
    await deliver(lake, [{ id: 'F_1', timeMs: DAY_1 + HOUR + 1, score: 77 }]);
    expect((await digestsOf(lake)).filter((digest) => digest === undefined)).toHaveLength(1);
    const before = await contentOf(lake);
    expect(await lake.verify(null, signal)).toMatchObject({ findings: [], withoutDigest: 1 });
    await compact(lake);
    expect(await digestsOf(lake)).not.toContain(undefined);
    expect(await contentOf(lake)).toEqual(before);
  });

  test('gives the same digest after a column was added, and another one for any other value', async () => {
    const { directory, lake } = await stored();
    const before = await contentOf(lake);
    await lake.close();
    const tables = SMALL_TABLES.map((spec) =>
      spec.name === 'events'
        ? table('events', 'event_date', [
            ...spec.columns.map(({ name, type }) => [name, type] as const),
            ['added', 'text'],
          ])
        : spec,
    );
    const dataset = { ...{ name: 'small', leftovers: [], wrapperMembers: [], unnamedLakes: true as const }, tables };
    const wider = await openSmall(directory, { dataset });
    expect(await contentOf(wider)).toEqual(before);
    await compact(wider);
    expect(await contentOf(wider)).toEqual(before);
    await deliver(wider, [{ id: 'F_3', timeMs: DAY_1 + 3 * HOUR + 3, score: 78 }], { tables });
    const changed = await contentOf(wider);
    const days = changed.filter(({ digest }, n) => digest !== before[n]?.digest).map(({ day, table: of }) => [day, of]);
    expect(days).toContainEqual(['2020-08-17', 'events']);
    expect(days.every(([day]) => day === '2020-08-17')).toBe(true);
  });

  test('names a file that is gone, cut, or rewritten together with its checksum, and nothing else', async () => {
    const { directory, lake } = await stored();
    await compact(lake);
    const { files } = await lake.snapshot();
    const [first, second] = files.events ?? [];
    const [certificates] = files.certificates ?? [];
    if (first === undefined || second === undefined || certificates === undefined) throw new Error('files are missing');
    await rm(join(directory, first.path));
    await truncate(join(directory, certificates.path), certificates.fileBytes - 1);
    // One value is changed by a program that also writes the new size and checksum into the log.
    const location = join(directory, second.path);
    await askPlain(
      `COPY (SELECT * REPLACE (coalesce(score, 0) + (event_id = 'F_30')::INTEGER AS score) FROM '${location}') TO '${location}' (FORMAT parquet)`,
    );
    const content = await readFile(location);
    const changed = { ...second, fileBytes: content.length, crc32: crc32(content) };
    await rewriteLog(directory, (await lake.snapshot()).version, JSON.stringify(second), JSON.stringify(changed));
    const reader = await openSmall(directory, { readOnly: true });
    const { findings } = await reader.verify(null, signal);
    expect(findings).toEqual([
      { day: '2020-08-17', table: 'certificates', path: certificates.path, found: expect.stringContaining('bytes') },
      { day: '2020-08-17', table: 'events', path: first.path, found: 'is missing' },
      { day: '2020-08-18', table: 'events', path: second.path, found: expect.stringContaining('digest differs') },
    ]);
    const range = { startMs: DAY_1 + DAY, endMs: DAY_1 + 2 * DAY };
    expect((await reader.verify(range, signal)).findings).toEqual(findings.slice(2));
  });

  test('ends when it is interrupted', async () => {
    const { lake } = await stored();
    await expect(lake.verify(null, AbortSignal.abort())).rejects.toThrow();
  });
});

/** Replaces text in a log entry and seals it anew. */
async function rewriteLog(directory: string, version: number, from: string, to: string): Promise<void> {
  const path = join(directory, '_log', `${String(version).padStart(20, '0')}.json`);
  const { crc32: _, ...entry } = JSON.parse(await readFile(path, 'utf8')) as Record<string, unknown>;
  const text = JSON.stringify(entry);
  expect(text).toContain(from);
  const changed = text.replace(from, to);
  const sum = crc32(changed).toString(16).padStart(8, '0');
  await writeFile(path, `${changed.slice(0, -1)},"crc32":"${sum}"}`);
}
