import { EdrlakeError, PROMOTED_KEY, type PromotedNote, quoteText, type TableSpec } from '@edrlake/core';
import { FILE_FORMAT } from '@edrlake/writers';
import { type LoggedFile, type Schema, schemaOf } from '../log/lake-state.ts';
import { tablesOf } from '../log/live-tables.ts';
import { rowsOf } from '../log/table-rows.ts';
import { sumFile } from '../storage/checksum.ts';
import type { DuckDbSession } from '../storage/duckdb.ts';
import { isFileError } from '../storage/file-errors.ts';
import { isDataFile, isWrittenName } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { replacedFiles } from './replace-log.ts';

/** The data files that can be part of a lake. */
export interface Adopted {
  readonly files: readonly LoggedFile[];
  readonly schemas: ReadonlyMap<number, Schema>;
  /** The columns that the files of format 2 name, with their ids. */
  readonly known: Schema;
  /** Of the dataset, with the promoted columns that footers name. */
  readonly tables: readonly TableSpec[];
  readonly setAside: readonly string[];
}

/** Looks into all files below the folders of tables. */
export async function adoptFiles(
  tools: { readonly store: Store; readonly connection: DuckDbSession['connection'] },
  ofDataset: readonly TableSpec[],
): Promise<Adopted> {
  const tables: TableSpec[] = [];
  const files: LoggedFile[] = [];
  const setAside: string[] = [];
  /** Lists of columns by table: a schema version is an index into each of them. */
  const lists = new Map<string, string[]>();
  const ids = new Map<string, Map<string, number>>();
  const paths = (await Promise.all(ofDataset.map(({ name }) => tools.store.walk(name)))).flat().filter(isDataFile);
  const replaced = await replacedFiles(tools.store, new Set(paths));
  for (const spec of ofDataset) {
    const ofTable = paths.filter((path) => path.startsWith(`${spec.name}/`) && !replaced.has(path));
    const contents = new Map<string, FileContent>();
    for (const path of ofTable.sort()) {
      const [, partition = '', name = ''] = path.split('/');
      const isOurs = new RegExp(`^${spec.partitionBy}=\\d{4}-\\d{2}-\\d{2}$`).test(partition) && isWrittenName(name);
      const content = isOurs ? await readContent(tools, path) : null;
      if (content === null) setAside.push(path);
      else contents.set(path, content);
    }
    const table = withPromoted(spec, contents);
    tables.push(table);
    for (const [path, content] of contents) {
      const [, partition = ''] = path.split('/');
      const { format, fieldIds } = content;
      const columns = columnsOf(table, path, [...fieldIds.keys(), ...(format === 1 ? [] : [table.partitionBy])]);
      if (format > 1) ids.set(table.name, new Map([...(ids.get(table.name) ?? []), ...fieldIds]));
      const known = lists.get(table.name) ?? [];
      if (!known.includes(columns)) known.push(columns);
      lists.set(table.name, known);
      const layout = /-c\d+\.parquet$/.test(path) ? 'sorted' : 'arrival';
      const { rowCount, fileBytes, crc32 } = content;
      const schemaVersion = known.indexOf(columns) + 1;
      files.push({ table: table.name, partition, path, rowCount, fileBytes, layout, format, crc32, schemaVersion });
    }
  }
  const versions = Math.max(0, ...[...lists.values()].map(({ length }) => length));
  const known = Object.fromEntries(
    tables.map(({ name, columns }) => [
      name,
      columns.flatMap((column) => {
        const id = ids.get(name)?.get(column.name);
        return id === undefined ? [] : [{ name: column.name, type: column.type, id }];
      }),
    ]),
  );
  const complete = schemaOf(tables, known);
  const schemas = new Map<number, Schema>();
  for (let number = 1; number <= versions; number += 1) {
    schemas.set(
      number,
      Object.fromEntries(
        [...lists].map(([table, some]) => [table, specsOf(complete, table, some[number - 1] ?? some[0])]),
      ),
    );
  }
  return { files, schemas, known, tables, setAside };
}

/**
 * A table with the promoted columns that its files name in their footers.
 * @throws {EdrlakeError} `LAKE_INCOMPATIBLE` where two files mean something else by one name
 */
function withPromoted(table: TableSpec, contents: ReadonlyMap<string, FileContent>): TableSpec {
  const found = new Map<string, PromotedNote>();
  for (const [path, { promoted }] of contents) {
    for (const note of promoted) {
      const before = found.get(note.name);
      found.set(note.name, note);
      if (before === undefined || JSON.stringify(before) === JSON.stringify(note)) continue;
      throw new EdrlakeError(
        'LAKE_INCOMPATIBLE',
        `${path} has another promoted column ${note.name} than files before it`,
        {
          context: { table: table.name, column: note.name },
          hint: 'The lake has files of before and after a demotion: restore it, or its folder _log, from one backup.',
        },
      );
    }
  }
  return tablesOf([table], { [table.name]: [...found.values()] })[0] ?? table;
}

function specsOf(complete: Schema, name: string, list: string | undefined): Schema[string] {
  const names = new Set(JSON.parse(list ?? '[]') as string[]);
  return complete[name]?.filter((column) => names.has(column.name)) ?? [];
}

/** @throws {EdrlakeError} `LAKE_INCOMPATIBLE` for a column that this program would lose */
function columnsOf(table: TableSpec, path: string, columns: readonly string[]): string {
  const mine = new Set(table.columns.map(({ name }) => name));
  const unknown = columns.find((name) => !mine.has(name));
  if (unknown === undefined) return JSON.stringify([...columns].sort());
  throw new EdrlakeError('LAKE_INCOMPATIBLE', `${path} has a column ${unknown} that this edrlake does not know`, {
    context: { table: table.name, column: unknown },
    hint: 'A newer edrlake has written it: update edrlake on this machine.',
  });
}

/** What a data file says of itself. */
interface FileContent {
  readonly rowCount: number;
  readonly fileBytes: number;
  readonly crc32: number;
  readonly format: number;
  /** By column; 0 for each in format 1, which has none. */
  readonly fieldIds: ReadonlyMap<string, number>;
  readonly promoted: readonly PromotedNote[];
}

/** null where the file cannot be read as Parquet. */
async function readContent(
  { store, connection }: { readonly store: Store; readonly connection: DuckDbSession['connection'] },
  path: string,
): Promise<FileContent | null> {
  const location = quoteText(store.locate(path));
  // The copy that may be here has no checksum to be compared with any more.
  await store.remote?.bringAgain([{ path }]);
  try {
    const [meta] = await rowsOf(
      connection,
      `SELECT num_rows::VARCHAR AS rows FROM parquet_file_metadata([${location}])`,
    );
    const columns = await rowsOf(
      connection,
      `SELECT name, coalesce(field_id, 0)::INTEGER AS id FROM parquet_schema([${location}]) WHERE num_children IS NULL`,
    );
    // Reads every page, so that a broken one is found now.
    await connection.run(
      `SELECT count(*) FROM (SELECT hash(COLUMNS(*)) FROM read_parquet([${location}], hive_partitioning = false))`,
    );
    const checksum = await sumFile(store.locate(path));
    if (checksum === null) return null;
    const fieldIds = new Map(columns.map(({ name, id }) => [String(name), Number(id)]));
    const format = [...fieldIds.values()].every((id) => id === 0) ? 1 : FILE_FORMAT;
    const [note] = await rowsOf(
      connection,
      `SELECT decode(value) AS text FROM parquet_kv_metadata([${location}]) WHERE key = ${quoteText(PROMOTED_KEY)}::BLOB`,
    );
    const promoted = note === undefined ? [] : (JSON.parse(String(note.text)) as PromotedNote[]);
    const rowCount = Number(meta?.rows);
    return { rowCount, fileBytes: checksum.bytes, crc32: checksum.crc32, format, fieldIds, promoted };
  } catch (thrown) {
    if (isFileError(thrown)) return null;
    throw thrown;
  }
}
