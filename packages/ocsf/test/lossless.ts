import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type ColumnSpec, type Dataset, quoteName, quoteText, rowsOf, type SqlConnection } from '@edrlake/core';
import { ocsfMappingOf } from '@edrlake/datasets/ocsf';
import { classUidSql, eventsSql, METER, type OcsfVersion, planMapping, sourceRowsSql } from '../src/index.ts';
import { type Rows, tablesOf } from './random-lake.ts';

/** What came of some random events. */
export interface RoundTrip {
  readonly published: number;
  /** Events whose class, or whose counts of values, are not as expected. */
  readonly wrong: number;
  /** Uids of the classes that the events should become. */
  readonly classes: readonly unknown[];
  /** Rows of each table that are not there any more, and rows that were not there before. */
  readonly differences: Readonly<Record<string, { readonly missing: number; readonly invented: number }>>;
}

/** Makes files of some events, and compares the rows that can be read back from the files with those before. */
export async function roundTrip(dataset: Dataset, version: OcsfVersion, rows: Rows): Promise<RoundTrip> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-ocsf-'));
  const mapping = ocsfMappingOf(dataset);
  if (mapping === null) throw new Error(`${dataset.name} has no mapping`);
  const { connection, close } = await tablesOf(dataset, rows, directory);
  try {
    const plan = planMapping(dataset, mapping, version);
    const classes = new Map([...plan.types.values()].flat().map((ofClass) => [ofClass.facts.uid, ofClass]));
    const tables = dataset.tables.filter(({ partitionBy }) => partitionBy === 'event_date');
    for (const { name } of tables) {
      await connection.run(`CREATE TABLE ${backOf(name)} AS SELECT * FROM ${quoteName(name)} LIMIT 0`);
    }
    let [published, wrong] = [0, 0];
    const days = new Set((rows.get('events') ?? []).map((row) => String(row.event_date)));
    const parts = [...days].flatMap((day) => [...classes].map(([uid, ofClass]) => ({ day, uid, ofClass })));
    for (const { day, uid, ofClass } of parts) {
      // Two buckets of one class show that events and the rows of child tables are divided alike.
      const buckets = uid === 1001 ? 2 : 1;
      for (let bucket = 0; bucket < buckets; bucket += 1) {
        const file = join(directory, 'class.parquet');
        const sql = eventsSql(plan, ofClass, { day, bucket, buckets });
        await connection.run(`COPY (${sql}) TO ${quoteText(file)} (FORMAT parquet)`);
        const isWrong = `class_uid <> ${uid} OR ${quoteName(METER.untyped)} > ${quoteName(METER.fields)}`;
        const [row] = await rowsOf(
          connection,
          `SELECT count(*) AS n, count(*) FILTER (WHERE ${isWrong}) AS wrong FROM ${quoteText(file)}`,
        );
        published += Number(row?.n);
        wrong += Number(row?.wrong);
        for (const { name } of tables) {
          const back = sourceRowsSql(plan, ofClass, name, `SELECT * FROM ${quoteText(file)}`);
          await connection.run(`INSERT INTO ${backOf(name)} ${back}`);
        }
      }
    }
    const uids = await rowsOf(connection, `SELECT DISTINCT ${classUidSql(plan)} AS uid FROM events ORDER BY uid`);
    const differences: Record<string, { missing: number; invented: number }> = {};
    for (const { name, columns } of tables) differences[name] = await differencesOf(connection, name, columns);
    return { published, wrong, classes: uids.map(({ uid }) => uid), differences };
  } finally {
    close();
    await rm(directory, { recursive: true });
  }
}

function backOf(table: string): string {
  return quoteName(`back_${table}`);
}

async function differencesOf(connection: SqlConnection, table: string, columns: readonly ColumnSpec[]) {
  const digests = (name: string) => `SELECT md5(concat_ws(chr(31), ${columns.map(exactText).join(', ')})) FROM ${name}`;
  const [before, after] = [digests(quoteName(table)), digests(backOf(table))];
  const [found] = await rowsOf(
    connection,
    `SELECT (SELECT count(*) FROM (${before} EXCEPT ALL ${after})) AS missing, (SELECT count(*) FROM (${after} EXCEPT ALL ${before})) AS invented`,
  );
  return { missing: Number(found?.missing), invented: Number(found?.invented) };
}

/** SQL of a value as text: times to the microsecond, JSON as it is written, NULL unlike any text. */
function exactText({ name, type }: ColumnSpec): string {
  const value = type === 'timestamp' ? `epoch_us(${quoteName(name)})::VARCHAR` : `${quoteName(name)}::VARCHAR`;
  return `coalesce('=' || ${value}, 'NULL')`;
}
