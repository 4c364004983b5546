import { createHash } from 'node:crypto';
import { readFile, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type ClaimHolder,
  claimFolder,
  EdrlakeError,
  errnoOf,
  makeFolder,
  quoteName,
  quoteText,
  sum,
  syncPath,
  writeAtomic,
} from '@edrlake/core';
import { outputError } from '../query/output-target.ts';
import { type UnloadFormat, type UnloadSource, writeUnloadFile } from './write-file.ts';

/** A table of a lake to write into a folder, one file for each of its days. */
export interface FolderUnload {
  readonly lake: UnloadSource;
  readonly table: string;
  readonly format: UnloadFormat;
  /** Absolute; made where it is missing. */
  readonly folder: string;
  readonly signal: AbortSignal;
}

/** What an unload into a folder did. */
export interface FolderReport {
  readonly table: string;
  readonly format: UnloadFormat;
  /** The version of the lake that the files show. */
  readonly version: number;
  /** The version that the unload in the folder was of before; null where there was none. */
  readonly before: number | null;
  readonly written: number;
  /** Days whose files were there already. */
  readonly unchanged: number;
  /** Days that the lake no longer has. */
  readonly removed: number;
  /** Rows of all files together. */
  readonly rowCount: number;
}

/** One file of an unload. */
interface Part {
  readonly file: string;
  readonly rowCount: number;
  readonly byteLength: number;
  /** Says which data files of the lake it was made of. They are never changed, so the same ones hold the same rows. */
  readonly source: string;
}

/** What is known about a folder; kept in it as `<table>.export.json`. */
interface UnloadManifest {
  readonly manifest: 1;
  readonly dataset: string;
  readonly table: string;
  readonly format: UnloadFormat;
  readonly version: number;
  /** By day. Only files that are whole. */
  readonly parts: Readonly<Record<string, Part>>;
}

/** Readers of a folder leave out names with an underscore. */
const CLAIM = '_exporting';

/** Commits may replace the data files of a day while it is written. */
const MAX_PASSES = 3;

/**
 * Writes the days of a table, each into a file that is whole once it has its name. A second call goes on where one was
 * stopped, and after commits writes the days again whose data files are others now. In the end all files together are
 * one version of the lake.
 * @throws {EdrlakeError} `USAGE` for a table that has no days, for a folder with another unload of the table, and
 * while another process exports into the folder;
 * `OUTPUT_FAILED` for a full disk; `LAKE_CONTENDED` where others write the lake all the time; `INTERRUPTED`
 */
export async function unloadToFolder(about: FolderUnload): Promise<FolderReport> {
  const { lake, table, folder } = about;
  const column = partitionOf(lake, table);
  await makeFolder(folder).catch((thrown: unknown) => {
    throw outputError(folder, thrown);
  });
  const giveBack = await claimFolder(folder, {
    name: CLAIM,
    refusal: (holder) => folderHeld(folder, holder),
    diskRefusal: outputError,
  });
  try {
    return await exportDays(about, column);
  } finally {
    await giveBack();
  }
}

/** @param column that has the day */
async function exportDays(about: FolderUnload, column: string): Promise<FolderReport> {
  const { lake, table, format, folder, signal } = about;
  const found = await readManifest(about);
  const parts = new Map(Object.entries(found?.parts ?? {}));
  const [written, removed] = [new Set<string>(), new Set<string>()];
  for (let pass = 0; ; pass += 1) {
    const { version, days } = await sourcesOf(lake, table);
    for (const [day, { file }] of [...parts].filter(([day]) => !days.has(day))) {
      await rm(join(folder, file), { force: true });
      parts.delete(day);
      removed.add(day);
    }
    const stale: string[] = [];
    for (const [day, { source }] of days) if (!(await isWhole(folder, parts.get(day), source))) stale.push(day);
    const save = () => writeManifest(about, { version, parts: Object.fromEntries(parts) });
    if (stale.length === 0) {
      await save();
      const rowCount = sum(parts.values(), (part) => part.rowCount);
      const counts = { written: written.size, unchanged: days.size - written.size, removed: removed.size };
      return { table, format, version, before: found?.version ?? null, ...counts, rowCount };
    }
    if (pass === MAX_PASSES) {
      throw new EdrlakeError('LAKE_CONTENDED', `${stale.join(', ')}: replaced by commits again and again`, {
        disposition: 'retry',
        hint: 'Run the same command again when nothing writes the lake.',
      });
    }
    for (const day of stale) {
      signal.throwIfAborted();
      const { source, rowCount } = days.get(day) ?? { source: '', rowCount: 0 };
      const file = `${table}-${day}.${format}`;
      const path = join(folder, file);
      const sql = `SELECT * FROM ${quoteName(table)} WHERE ${quoteName(column)} = DATE ${quoteText(day)}`;
      await writeUnloadFile(path, { lake, sql, format, signal });
      await syncPath(path);
      const { days: now } = await sourcesOf(lake, table);
      if (now.get(day)?.source !== source) continue;
      parts.set(day, { file, rowCount, byteLength: (await stat(path)).size, source });
      written.add(day);
      await save();
    }
  }
}

function partitionOf(lake: UnloadSource, table: string): string {
  const spec = lake.dataset.tables.find(({ name }) => name === table);
  if (spec !== undefined) return spec.partitionBy;
  throw new EdrlakeError('USAGE', `${table} cannot be written into a folder: it has no days`, {
    hint: `These have: ${lake.dataset.tables.map(({ name }) => name).join(', ')}. Anything else fits into a file.`,
  });
}

interface DaySource {
  readonly source: string;
  readonly rowCount: number;
}

/** What each day of the newest version is made of, oldest first. */
async function sourcesOf(
  lake: UnloadSource,
  table: string,
): Promise<{ version: number; days: Map<string, DaySource> }> {
  const { version, files } = await lake.snapshot();
  const byDay = new Map<string, { path: string; rowCount: number }[]>();
  for (const { partition, path, rowCount } of files[table] ?? []) {
    const day = partition.slice(partition.indexOf('=') + 1);
    byDay.set(day, [...(byDay.get(day) ?? []), { path, rowCount }]);
  }
  const days = [...byDay]
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([day, of]): [string, DaySource] => {
      const paths = of.map(({ path }) => path).sort();
      const source = createHash('sha256').update(paths.join('\n')).digest('hex').slice(0, 32);
      return [day, { source, rowCount: sum(of, ({ rowCount }) => rowCount) }];
    });
  return { version, days: new Map(days) };
}

async function isWhole(folder: string, part: Part | undefined, source: string): Promise<boolean> {
  if (part?.source !== source) return false;
  const found = await stat(join(folder, part.file)).catch(() => null);
  return found?.size === part.byteLength;
}

const manifestPath = ({ folder, table }: FolderUnload) => join(folder, `${table}.export.json`);

async function readManifest(about: FolderUnload): Promise<UnloadManifest | null> {
  const { lake, table, format, folder } = about;
  const path = manifestPath(about);
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return null;
    throw outputError(path, thrown);
  });
  if (text === null) return null;
  const found = manifestIn(text);
  if (found?.dataset === lake.dataset.name && found.table === table && found.format === format) return found;
  const holds =
    found === null ? 'what is no list of an export' : `${found.table} of ${found.dataset} as ${found.format}`;
  throw new EdrlakeError('USAGE', `${folder} cannot hold ${table} of ${lake.dataset.name} as ${format}`, {
    hint: `${path} names ${holds}: give another folder, or remove what is in this one.`,
  });
}

function manifestIn(text: string): UnloadManifest | null {
  try {
    const found = JSON.parse(text) as Partial<UnloadManifest> | null;
    const isKnown = found?.manifest === 1 && typeof found.version === 'number' && typeof found.parts === 'object';
    return isKnown ? (found as UnloadManifest) : null;
  } catch {
    return null;
  }
}

async function writeManifest(about: FolderUnload, known: Pick<UnloadManifest, 'version' | 'parts'>): Promise<void> {
  const { lake, table, format } = about;
  const path = manifestPath(about);
  const manifest: UnloadManifest = { manifest: 1, dataset: lake.dataset.name, table, format, ...known };
  await writeAtomic(path, `${JSON.stringify(manifest, null, 1)}\n`, {
    temporary: `${path}.partial`,
    syncs: 'name',
    refusal: outputError,
  });
}

function folderHeld(folder: string, holder: ClaimHolder | null): EdrlakeError {
  if (holder === null) {
    return new EdrlakeError('USAGE', `${folder} is claimed by other exports again and again`, {
      hint: 'Run the same command again when they have ended, or give another folder.',
    });
  }
  const { file, owner, state } = holder;
  if (owner === null) {
    return new EdrlakeError('USAGE', `${folder} is claimed by a file that names no process: ${file}`, {
      hint: `If no other export into the folder is running, remove ${file}.`,
    });
  }
  const where = state === 'elsewhere' ? ` of ${owner.host}, which cannot be seen from here,` : '';
  const wait = 'Wait for it to end, or give another folder.';
  return new EdrlakeError('USAGE', `process ${owner.pid}${where} is exporting into ${folder}`, {
    hint: state === 'elsewhere' ? `${wait} If it is not running any more, remove ${file}.` : wait,
  });
}
