import { randomUUID } from 'node:crypto';
import { join, posix } from 'node:path';
import { type Day, quoteName, quoteText, rowsOf, type SqlConnection, startOfDayMs, sum, syncPath } from '@edrlake/core';
import { METER } from '../mapping/forward-sql.ts';
import type { ClassFacts } from '../schema/classes.ts';
import { accountName, dayFolder, type LayoutChoice } from './layout.ts';
import type { DayFile, Target } from './state.ts';

/** What the files of one class and day are made from. */
export interface ClassRows {
  readonly facts: ClassFacts;
  readonly source: string;
  readonly day: Day;
  /** Parquet files with the attributes and the columns of `METER`, in any order. */
  readonly raw: readonly string[];
  /** Key/value metadata of every file. */
  readonly metadata: Readonly<Record<string, string>>;
}

/** A file in the work folder, and what it becomes. */
export interface StagedFile {
  readonly staged: string;
  readonly file: DayFile;
}

/** A file of more rows is divided by time, so that sorting and reading it stays cheap. */
const MAX_FILE_ROWS = 250_000;

/** Pages of at most 1 MiB before compression are what Security Lake asks for. DuckDB writes one page a column chunk. */
const MAX_PAGE_BYTES = 1024 * 1024;

/** DuckDB divides rows into groups by whole vectors. */
const VECTOR_ROWS = 2_048;
const FIRST_GROUP_ROWS = 8 * VECTOR_ROWS;

/** Rows a group by class, as found for files before: most files of a class are alike. */
export type GroupRows = Map<string, number>;

/**
 * Writes the files of one class and day: one for each account and part of the day, sorted by time.
 * @returns the files, durable in the work folder
 */
export async function writeClassFiles(
  connection: SqlConnection,
  rows: ClassRows,
  choice: LayoutChoice,
  { workFolder, fileName }: Pick<Target, 'workFolder' | 'fileName'>,
  groupRows: GroupRows,
): Promise<StagedFile[]> {
  const { facts, source, day, raw } = rows;
  const relation = `read_parquet([${raw.map(quoteText).join(', ')}])`;
  const account = choice.accountId === null ? quoteName(METER.account) : 'NULL::VARCHAR';
  const accounts = await rowsOf(connection, `SELECT DISTINCT ${account} AS account FROM ${relation} ORDER BY account`);
  const staged: StagedFile[] = [];
  for (const { account: customer } of accounts) {
    const name = accountName(choice, typeof customer === 'string' ? customer : null);
    const owned = choice.accountId === null ? `${account} IS NOT DISTINCT FROM ${sqlText(customer)}` : 'TRUE';
    const folder = dayFolder(choice, { source, account: name, day });
    for (const part of await partsOf(connection, `SELECT time FROM ${relation} WHERE ${owned}`, day)) {
      const picked = `SELECT * FROM ${relation} WHERE ${owned} AND ${partSql(part, day)}`;
      const meter = await meterOf(connection, picked);
      const file = `${randomUUID()}.parquet`;
      const bytes = await copySorted(connection, picked, join(workFolder, file), facts, groupRows, {
        ...rows.metadata,
        'edrlake.ocsf.source_fields': String(meter.fields),
        'edrlake.ocsf.typed_fields': String(meter.fields - meter.untyped),
        'edrlake.ocsf.typed_share': typedShareText(meter),
      });
      const slot = `${source} ${name} ${partName(part)}`;
      const path = posix.join(folder, fileName(partName(part)));
      staged.push({ staged: file, file: { path, className: facts.name, slot, ...meter, bytes } });
    }
  }
  return staged;
}

/** `0.8123`; empty where there is no field. */
function typedShareText({ fields, untyped }: Pick<DayFile, 'fields' | 'untyped'>): string {
  return fields === 0 ? '' : ((fields - untyped) / fields).toFixed(4);
}

async function meterOf(
  connection: SqlConnection,
  rowsSql: string,
): Promise<Pick<DayFile, 'rows' | 'fields' | 'untyped'>> {
  const sumOf = (name: string) => `coalesce(sum(${quoteName(name)}), 0)::BIGINT`;
  const [row] = await rowsOf(
    connection,
    `SELECT count(*) AS rows, ${sumOf(METER.fields)} AS fields, ${sumOf(METER.untyped)} AS untyped FROM (${rowsSql})`,
  );
  return { rows: Number(row?.rows), fields: Number(row?.fields), untyped: Number(row?.untyped) };
}

async function copySorted(
  connection: SqlConnection,
  rowsSql: string,
  file: string,
  facts: ClassFacts,
  groupRows: GroupRows,
  metadata: Readonly<Record<string, string>>,
): Promise<number> {
  const without = Object.values(METER).map(quoteName).join(', ');
  const pairs = Object.entries(metadata).map(([key, value]) => `${quoteText(key)}: ${quoteText(value)}`);
  for (;;) {
    const rows = groupRows.get(facts.name) ?? FIRST_GROUP_ROWS;
    const [written] = await rowsOf(
      connection,
      `COPY (SELECT * EXCLUDE (${without}) FROM (${rowsSql}) ORDER BY time, metadata.uid) TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd, PARQUET_VERSION V1, ROW_GROUP_SIZE ${rows}, KV_METADATA {${pairs.join(', ')}}, RETURN_STATS true)`,
    );
    const largest = await largestChunk(connection, file);
    if (largest <= MAX_PAGE_BYTES || rows <= VECTOR_ROWS) {
      await syncPath(file);
      return Number(written?.file_size_bytes);
    }
    const fitting = Math.floor((rows * MAX_PAGE_BYTES * 0.9) / largest / VECTOR_ROWS) * VECTOR_ROWS;
    groupRows.set(facts.name, Math.max(VECTOR_ROWS, Math.min(fitting, rows - VECTOR_ROWS)));
  }
}

/** Bytes of the largest column chunk before compression: no page of the file is larger. */
async function largestChunk(connection: SqlConnection, file: string): Promise<number> {
  const [row] = await rowsOf(
    connection,
    `SELECT max(total_uncompressed_size) AS bytes FROM parquet_metadata(${quoteText(file)})`,
  );
  return Number(row?.bytes ?? 0);
}

/** Minutes of the day, the end excluded. */
interface Part {
  readonly from: number;
  readonly to: number;
}

const MINUTES = 24 * 60;
const MINUTE_MS = 60_000;

/**
 * Parts of the day of at most `MAX_FILE_ROWS` rows, by halving it: so the parts stay the same when a few rows are
 * added, and a file takes the place of the one before it. A minute is not divided.
 */
async function partsOf(connection: SqlConnection, timesSql: string, day: Day): Promise<Part[]> {
  const minute = `(time - ${startOfDayMs(day)}) // ${MINUTE_MS}`;
  const rows = await rowsOf(
    connection,
    `SELECT least(greatest(${minute}, 0), ${MINUTES - 1}) AS minute, count(*) AS n FROM (${timesSql}) GROUP BY ALL`,
  );
  const counts = new Array<number>(MINUTES).fill(0);
  for (const row of rows) counts[Number(row.minute)] = Number(row.n);
  const divide = (from: number, to: number): Part[] => {
    const total = sum(counts.slice(from, to), (count) => count);
    if (total === 0) return [];
    if (total <= MAX_FILE_ROWS || to - from === 1) return [{ from, to }];
    const middle = (from + to) >> 1;
    return [...divide(from, middle), ...divide(middle, to)];
  };
  return divide(0, MINUTES);
}

function partSql({ from, to }: Part, day: Day): string {
  if (from === 0 && to === MINUTES) return 'TRUE';
  const start = startOfDayMs(day);
  return `time >= ${start + from * MINUTE_MS} AND time < ${start + to * MINUTE_MS}`;
}

/** `0000-2400` */
function partName({ from, to }: Part): string {
  const clock = (minute: number) =>
    `${String(Math.floor(minute / 60)).padStart(2, '0')}${String(minute % 60).padStart(2, '0')}`;
  return `${clock(from)}-${clock(to)}`;
}

function sqlText(value: unknown): string {
  return typeof value === 'string' ? quoteText(value) : 'NULL';
}
