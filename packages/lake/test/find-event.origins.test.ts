import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { FoundEvent, Lake } from '../src/index.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOfDays, type SmallEvent } from './small-lake.ts';

const signal = new AbortController().signal;
const event = (id: string, hour: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score: 1, issuers: ['x', 'y'] },
  ...more,
});
const kinds = ({ writes }: FoundEvent) => writes.map(({ kind, day, commit }) => [commit?.version ?? 0, kind, day]);

async function filled(): Promise<{ readonly directory: string; readonly lake: Lake }> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  const first = [event('a', 0), event('b', 1), event('c', 30)];
  await deliver(lake, first, { proofs: [proofOfDays(DAY_1, 2, first)], rejects: [{ record: 'broken', id: 'r' }] });
  await deliver(lake, [event('b', 26, { score: 9, processedMs: DAY_1 + 40 * HOUR })]);
  await deliver(lake, [event('b', 26, { score: 9, processedMs: DAY_1 + 40 * HOUR, noise: 'new text' }), event('d', 3)]);
  return { directory, lake };
}

describe('findEvent', () => {
  it('has all rows of an event with their places, and nothing of others', async () => {
    const { directory, lake } = await filled();
    const { tables } = await lake.findEvent('c');
    expect(tables.map(({ table, rows }) => [table, rows.length])).toEqual([
      ['events', 1],
      ['certificates', 2],
    ]);
    for (const { rows } of tables) {
      for (const { file, rowNumber, values } of rows) {
        const sql = `SELECT event_id FROM read_parquet('${join(directory, file)}', file_row_number = true) WHERE file_row_number = ${rowNumber}`;
        const connection = await lake.connect();
        const [row] = (await connection.runAndReadAll(sql)).getRowObjectsJson();
        expect(row?.event_id).toBe(values.event_id);
      }
    }
  });

  it('says which commit brought, replaced and confirmed it, across days', async () => {
    const { lake } = await filled();
    const found = await lake.findEvent('b');
    expect(found.tables[0]?.rows[0]?.values).toMatchObject({ event_date: '2020-08-18', score: 9 });
    expect(kinds(found)).toEqual([
      [1, 'stored', '2020-08-17'],
      [2, 'replaced', '2020-08-18'],
      [3, 'confirmed', '2020-08-18'],
    ]);
    expect(found.windows.map(({ version, proof }) => [version, proof.verdict])).toEqual([[1, 'proven']]);
  });

  it('says that replace deleted it', async () => {
    const { lake } = await filled();
    const left = [event('c', 30)];
    const day = [DAY_1 + DAY, 1] as const;
    await deliver(lake, left, { proofs: [proofOfDays(...day, left)], replace: true });
    const found = await lake.findEvent('b');
    expect(found.tables).toEqual([]);
    expect(kinds(found).at(-1)).toEqual([4, 'withdrawn', '2020-08-18']);
  });

  it('finds it after compaction, and keeps its history', async () => {
    const { lake } = await filled();
    const before = await lake.findEvent('b');
    await lake.compact({ minFiles: 2 }, { runId: 'c', signal });
    const after = await lake.findEvent('b');
    expect(after.tables.map(({ rows }) => rows.map(({ values }) => values))).toEqual(
      before.tables.map(({ rows }) => rows.map(({ values }) => values)),
    );
    expect(kinds(after)).toEqual(kinds(before));
    expect(after.tables[0]?.rows[0]?.file).toMatch(/-c\d+\.parquet$/);
  });

  it('names the reject that has the id', async () => {
    const { lake } = await filled();
    const { tables, rejects } = await lake.findEvent('r');
    expect([tables, rejects.map(({ values }) => values.reason)]).toEqual([[], ['no id']]);
  });

  it('reads all days where the index is lost, or damaged and says nothing', async () => {
    const { directory, lake } = await filled();
    const { idFiles } = await lake.snapshot();
    for (const { path } of idFiles) {
      const bytes = await readFile(join(directory, path));
      // One id less, and a file that can be read: only the checksum shows it.
      const other = join(directory, '_spool', 'other.parquet');
      const sql = `COPY (SELECT * FROM read_parquet('${join(directory, path)}') LIMIT 0) TO '${other}' (FORMAT parquet)`;
      await (await lake.connect()).run(sql);
      const empty = await readFile(other);
      await writeFile(join(directory, path), Buffer.concat([empty.subarray(0, 4), bytes.subarray(4)]));
      await writeFile(join(directory, path), padded(empty, bytes.length));
    }
    expect((await lake.findEvent('c')).tables).toHaveLength(2);
    for (const { path } of idFiles) await rm(join(directory, path));
    const found = await lake.findEvent('c');
    expect([found.tables.length, found.writes]).toEqual([2, []]);
  });

  it('names the files that are gone', async () => {
    const { directory, lake } = await filled();
    const path = (await lake.findEvent('c')).tables[1]?.rows[0]?.file ?? '';
    await rm(join(directory, path));
    const { tables, lostFiles } = await lake.findEvent('c');
    expect([tables.length, lostFiles]).toEqual([1, [path]]);
  });
});

/** The same Parquet file with other bytes before its footer, in another size. */
function padded(file: Buffer, bytes: number): Buffer {
  const footer = file.readUInt32LE(file.length - 8) + 8;
  const room = bytes - file.length;
  if (room < 0) return file;
  return Buffer.concat([
    file.subarray(0, file.length - footer),
    Buffer.alloc(room),
    file.subarray(file.length - footer),
  ]);
}

it('any event of any history is found as the views show it', async () => {
  const ids = ['a', "it's", 'ü%', 'F_1_2'];
  const delivery = fc.array(
    fc.record({
      id: fc.constantFrom(...ids),
      hour: fc.integer({ min: 0, max: 70 }),
      score: fc.integer({ min: 0, max: 3 }),
    }),
    { minLength: 1, maxLength: 4 },
  );
  await fc.assert(
    fc.asyncProperty(fc.array(delivery, { minLength: 1, maxLength: 4 }), async (deliveries) => {
      const lake = await openSmall(await newDirectory());
      for (const [round, some] of deliveries.entries()) {
        const unique = [...new Map(some.map((one) => [one.id, one])).values()];
        await deliver(
          lake,
          unique.map(({ id, hour, score }) => event(id, hour, { score, processedMs: DAY_1 + (100 + round) * HOUR })),
        );
      }
      for (const id of ids) {
        const [row = null] = await ask(lake, `SELECT score FROM events WHERE event_id = '${id.replaceAll("'", "''")}'`);
        const { tables, writes } = await lake.findEvent(id);
        expect(tables[0]?.rows.map(({ values }) => values.score) ?? []).toEqual(row ?? []);
        expect(writes.length > 0).toBe(row !== null);
      }
      await lake.close();
    }),
    { numRuns: 4 },
  );
});
