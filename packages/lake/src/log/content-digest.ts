import type { DuckDBConnection } from '@duckdb/node-api';
import { type ColumnSpec, quoteName, quoteText, type TableSpec } from '@edrlake/core';
import { type PlainRow, rowsOf } from './table-rows.ts';

/** What rows hold, in any order. */
export interface Content {
  readonly rowCount: number;
  /** 32 hexadecimal digits; equal for equal rows. The digest of no rows is zero. */
  readonly digest: string;
}

/** Begins a value after its column's name, and ends it before the next one. */
const [NAME_END, VALUE_END] = [0x1f, 0x1e];

const LANE_BITS = 64n;
const MODULUS = 1n << 128n;

/** Content, and a fingerprint that takes a fifth of the digest's time. */
export interface PrintedContent extends Content {
  readonly fingerprint: string;
}

/** Halves of an MD5, because DuckDB adds no 128-bit numbers without rounding them. */
const DIGEST_SUMS = [
  `coalesce(sum((m >> ${LANE_BITS})::UBIGINT), 0)::VARCHAR AS high`,
  `coalesce(sum((m & ${(1n << LANE_BITS) - 1n}::UHUGEINT)::UBIGINT), 0)::VARCHAR AS low`,
];

const PRINT = "count(*) || ':' || coalesce(sum(h::HUGEINT), 0) || ':' || coalesce(bit_xor(h), 0) AS print";

/**
 * Counts rows and computes their content digest: the sum, modulo 2^128, of the MD5 of each row's canonical text. The
 * sum does not depend on the order of the rows, nor on how they are divided into files, and needs no sort. Any reader
 * of the values computes the same: docs/lake-format.md defines the text.
 * @param rowsSql a query with the table's columns
 */
export async function contentOf(connection: DuckDBConnection, table: TableSpec, rowsSql: string): Promise<Content> {
  const [row] = await rowsOf(
    connection,
    `SELECT count(*)::VARCHAR AS row_count, ${DIGEST_SUMS.join(', ')} FROM (SELECT md5_number(${rowTextSql(table)}) AS m FROM (${rowsSql}))`,
  );
  return contentIn(row);
}

/** Both the content and the fingerprint, from one read of the rows. */
export async function printedContentOf(
  connection: DuckDBConnection,
  table: TableSpec,
  rowsSql: string,
): Promise<PrintedContent> {
  const [row] = await rowsOf(
    connection,
    `SELECT count(*)::VARCHAR AS row_count, ${DIGEST_SUMS.join(', ')}, ${PRINT} FROM (SELECT md5_number(${rowTextSql(table)}) AS m, ${rowHashSql(table)} AS h FROM (${rowsSql}))`,
  );
  return { ...contentIn(row), fingerprint: String(row?.print) };
}

/**
 * Equal for equal rows in any order, and for no others: the count, and hashes of whole rows, added and combined. Only
 * one DuckDB computes the same twice, so it is not kept.
 */
export async function fingerprintOf(connection: DuckDBConnection, table: TableSpec, rowsSql: string): Promise<string> {
  const [row] = await rowsOf(connection, `SELECT ${PRINT} FROM (SELECT ${rowHashSql(table)} AS h FROM (${rowsSql}))`);
  return String(row?.print);
}

function rowHashSql({ columns }: TableSpec): string {
  return `hash(${columns.map(({ name }) => quoteName(name)).join(', ')})`;
}

function contentIn(row: PlainRow | undefined): Content {
  const total = (BigInt(String(row?.high)) << LANE_BITS) + BigInt(String(row?.low));
  return { rowCount: Number(row?.row_count), digest: digestText(total) };
}

/** The digest of all rows together. */
export function sumDigests(digests: readonly string[]): string {
  return digestText(digests.reduce((total, digest) => total + BigInt(`0x${digest}`), 0n));
}

function digestText(total: bigint): string {
  return (total % MODULUS).toString(16).padStart(32, '0');
}

/**
 * Columns in the order of their names, those without a value left out: so a column that is added later, and is NULL in
 * older rows, changes no digest. The partition column is the folder's name, not a value of the file.
 */
function rowTextSql({ columns, partitionBy }: TableSpec): string {
  const named = columns.filter(({ name }) => name !== partitionBy).sort((a, b) => (a.name < b.name ? -1 : 1));
  const values = named.map((column) => `${quoteText(column.name)} || chr(${NAME_END}) || ${valueTextSql(column)}`);
  return `concat_ws(chr(${VALUE_END}), ${values.join(', ')})`;
}

function valueTextSql({ name, type }: ColumnSpec): string {
  return type === 'timestamp' ? `epoch_us(${quoteName(name)})` : `${quoteName(name)}::VARCHAR`;
}
