/// <reference path="./parquetjs-lite.d.ts" />
import { rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import {
  type Cell,
  type ColumnSpec,
  type ColumnType,
  type FileLayout,
  MS_PER_DAY,
  makeFolder,
  PROMOTED_KEY,
  promotedNote,
  type Row,
  syncPath,
  type TableSpec,
} from '@edrlake/core';
import parquet, { type EnvelopeWriter, type FieldDefinition, type RowBuffer } from 'parquetjs-lite';
import thrift, { type SchemaElement } from 'parquetjs-lite/gen-nodejs/parquet_types.js';
import util from 'parquetjs-lite/lib/util.js';
import { FILE_FORMAT, type FieldIds, type WrittenFile } from './copy-parquet.ts';

/** A column of a file. `hash` is an unsigned 64-bit integer, as the id index has them. */
export interface RowColumn {
  readonly name: string;
  readonly type: ColumnType | 'hash';
  readonly fieldId?: number;
}

/** Rows as they are made; an array as well. */
export type RowSource = Iterable<Row> | AsyncIterable<Row>;

/**
 * Rows of one row group, and of one page in it: the library holds those of a page as one buffer for each value, and
 * those of a row group encoded.
 */
const [ROW_GROUP_ROWS, PAGE_ROWS] = [16_384, 1_024];

/** Rows between two turns of the event loop: some milliseconds of work. */
const ROWS_PER_TURN = 256;

/**
 * Writes one data file as `copyToParquet` would, without native code: the same columns and types, rows in the given
 * order. The library knows no zstd, so files are compressed with gzip, and they have no statistics and no bloom
 * filters. Takes about ten times as long. Makes its folder, syncs the file, but not its name. A crash or an error
 * leaves a file without its footer.
 * @param file absolute path
 */
export async function writeRowFile(
  table: TableSpec,
  rows: RowSource,
  file: string,
  { layout, fieldIds }: { readonly layout: FileLayout; readonly fieldIds: FieldIds },
): Promise<WrittenFile> {
  const spans = timeSpans(table);
  const isPartition = ({ name }: ColumnSpec) => name === table.partitionBy;
  const partitionAt = table.columns.findIndex(isPartition);
  const columns = table.columns
    .filter((column) => !isPartition(column))
    .map(({ name, type }) => ({ name, type, ...(fieldIds[name] !== undefined && { fieldId: fieldIds[name] }) }));
  const stored = async function* (): AsyncGenerator<Row> {
    for await (const row of rows) {
      spans.see(row);
      yield row.toSpliced(partitionAt, 1);
    }
  };
  const { rowCount, fileBytes } = await writeRows(columns, stored(), file, 'GZIP', promotedNote(table));
  return { rowCount, fileBytes, layout, format: FILE_FORMAT, ...spans.found() };
}

/**
 * Writes any rows to a Parquet file, as `writeRowFile`.
 * @param note of promoted columns, for the footer
 * @returns rows and bytes
 */
export async function writeRows(
  columns: readonly RowColumn[],
  rows: RowSource,
  file: string,
  compression: 'GZIP' | 'SNAPPY',
  note: string | null = null,
): Promise<{ readonly rowCount: number; readonly fileBytes: number }> {
  await makeFolder(dirname(file));
  const fields = columns.map(({ name, type }) => [name, { ...COMMON, type: FIELD_TYPES[type], compression }] as const);
  const options = { rowGroupSize: ROW_GROUP_ROWS, pageSize: PAGE_ROWS, useDataPageV2: false };
  const writer = await parquet.ParquetWriter.openFile(
    new parquet.ParquetSchema(Object.fromEntries(fields)),
    file,
    options,
  );
  if (note !== null) writer.setMetadata(PROMOTED_KEY, note);
  nameFinalTypes(writer.envelopeWriter, columns);
  let rowCount = 0;
  let isWhole = false;
  try {
    for await (const row of rows) {
      if (!pushRow(writer.rowBuffer, columns, row)) {
        const cells = columns.map(({ name, type }, index) => [name, given(type, row[index] ?? null)] as const);
        await writer.appendRow(Object.fromEntries(cells));
      }
      rowCount += 1;
      if (rowCount % ROWS_PER_TURN === 0) await setImmediate();
    }
    isWhole = true;
  } finally {
    await writer.close();
    if (!isWhole) await rm(file, { force: true });
  }
  await syncPath(file);
  return { rowCount, fileBytes: (await stat(file)).size };
}

const COMMON = { optional: true, statistics: false } as const;

/**
 * How a column is handed to the library. Its own 64-bit integers go through a double and its own JSON quotes text
 * again, so they are handed over as a type that leaves the value alone and get their real name in the footer.
 */
const FIELD_TYPES: Readonly<Record<RowColumn['type'], FieldDefinition['type']>> = {
  text: 'UTF8',
  json: 'UTF8',
  integer: 'INT32',
  bigint: 'TIMESTAMP_MILLIS',
  hash: 'TIMESTAMP_MILLIS',
  boolean: 'BOOLEAN',
  timestamp: 'TIMESTAMP_MICROS',
  date: 'DATE',
};

/**
 * Adds a row to the values that the library has collected for a page. Its own way makes five objects for each value,
 * which is nine tenths of the time of a file.
 * @returns false, and nothing done, for the first row of a row group and the last one of a page: the library has to
 * begin and to encode them itself
 */
function pushRow(buffer: RowBuffer, columns: readonly RowColumn[], row: Row): boolean {
  const { columnData, pageRowCount = 0 } = buffer;
  if (columnData === undefined || pageRowCount >= PAGE_ROWS - 1) return false;
  for (const [index, { name, type }] of columns.entries()) {
    const column = columnData[name];
    const cell = row[index] ?? null;
    if (column === undefined) return false;
    column.rlevels.push(0);
    column.dlevels.push(cell === null ? 0 : 1);
    if (cell !== null) column.values.push(stored(type, cell));
    column.count += 1;
  }
  buffer.pageRowCount = pageRowCount + 1;
  buffer.rowCount = (buffer.rowCount ?? 0) + 1;
  return true;
}

/** A value as the library would store it. */
function stored(type: RowColumn['type'], cell: string | number | bigint | boolean): unknown {
  switch (type) {
    case 'text':
    case 'json':
      return Buffer.from(String(cell));
    case 'bigint':
    case 'hash':
      return BigInt.asIntN(64, BigInt(cell));
    case 'timestamp':
      return BigInt(cell) * 1000n;
    default:
      return cell;
  }
}

/** A value as the library takes it. */
function given(type: RowColumn['type'], cell: Cell): unknown {
  if (cell === null) return null;
  if (type === 'bigint' || type === 'hash') return new ExactInteger(BigInt.asIntN(64, BigInt(cell)));
  if (type === 'timestamp') return new Date(Number(cell));
  return type === 'date' ? new Date(Number(cell) * MS_PER_DAY) : cell;
}

/** What the library takes for a date and asks for its time: the way past its conversion to a double. */
class ExactInteger extends Date {
  readonly #value: bigint;

  constructor(value: bigint) {
    super(0);
    this.#value = value;
  }

  override getTime(): number {
    return this.#value as unknown as number;
  }
}

/**
 * Has the footer name the types and field ids that DuckDB writes. The library knows no logical types and no ids, and
 * names the types of 64-bit integers that hide the values from it.
 */
function nameFinalTypes(envelope: EnvelopeWriter, columns: readonly RowColumn[]): void {
  const writeFooter = envelope.writeFooter.bind(envelope);
  const writeSection = envelope.writeSection.bind(envelope);
  envelope.writeFooter = (userMetadata) => {
    envelope.writeSection = (footer) => writeSection(withTypes(footer, columns));
    return writeFooter(userMetadata);
  };
}

/** Bytes after the metadata in a footer: its length, and the mark of the format. */
const FOOTER_END_BYTES = 8;

function withTypes(footer: Buffer, columns: readonly RowColumn[]): Buffer {
  const metadata = new thrift.FileMetaData();
  util.decodeThrift(metadata, footer.subarray(0, -FOOTER_END_BYTES), 0);
  const byName = new Map(columns.map((column) => [column.name, column]));
  for (const element of metadata.schema.slice(1)) {
    const column = byName.get(element.name);
    nameType(element, column?.type);
    if (column?.fieldId !== undefined) element.field_id = column.fieldId;
  }
  const encodedMetadata = util.serializeThrift(metadata);
  const end = Buffer.from(footer.subarray(-FOOTER_END_BYTES));
  end.writeUInt32LE(encodedMetadata.length);
  return Buffer.concat([encodedMetadata, end]);
}

function nameType(element: SchemaElement, type: RowColumn['type'] | undefined): void {
  const { ConvertedType, LogicalType, TimestampType, TimeUnit, MicroSeconds } = thrift;
  switch (type) {
    case 'integer':
      element.converted_type = ConvertedType.INT_32;
      break;
    case 'bigint':
      element.converted_type = ConvertedType.INT_64;
      break;
    case 'hash':
      element.converted_type = ConvertedType.UINT_64;
      break;
    case 'timestamp': {
      const unit = new TimeUnit({ MICROS: new MicroSeconds() });
      element.converted_type = ConvertedType.TIMESTAMP_MICROS;
      element.logicalType = new LogicalType({ TIMESTAMP: new TimestampType({ isAdjustedToUTC: true, unit }) });
      break;
    }
    default:
  }
}

/** What the log says of a file's times, from the rows on their way. */
function timeSpans({ name: table, columns }: TableSpec) {
  const at = (column: string) => columns.findIndex(({ name }) => name === column);
  const [eventAt, processedAt] = [table === 'events' ? at('event_time') : -1, at('processed_time')];
  let newestEventMs: number | null = null;
  let processedMs: [number, number] | null = null;
  return {
    see(row: Row): void {
      const [event, processed] = [row[eventAt] ?? null, row[processedAt] ?? null];
      if (typeof event === 'number') newestEventMs = Math.max(newestEventMs ?? event, event);
      if (typeof processed !== 'number') return;
      const [from, to] = processedMs ?? [processed, processed];
      processedMs = [Math.min(from, processed), Math.max(to, processed)];
    },
    found: (): Pick<WrittenFile, 'newestEventMs' | 'processedMs'> => ({
      ...(newestEventMs === null ? {} : { newestEventMs }),
      ...(processedMs === null ? {} : { processedMs }),
    }),
  };
}
