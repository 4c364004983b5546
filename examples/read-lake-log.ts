import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What this reader needs of an entry or a checkpoint; docs/lake-format.md describes all of it. */
interface Logged {
  readonly format: number;
  readonly version: number;
  readonly files?: readonly DataFile[];
  readonly added?: readonly DataFile[];
  readonly removed?: readonly string[];
}

/** A data file as the log names it. */
interface DataFile {
  readonly table: string;
  readonly path: string;
  readonly rowCount: number;
}

/**
 * A reader of a lake in a few lines, without edrlake: the data files of the newest version, from the newest checkpoint
 * and the log entries after it. Another language would do the same.
 * @param directory of the lake
 * @returns the version, and its files by path
 */
export async function readLakeLog(
  directory: string,
): Promise<{ readonly version: number; readonly files: ReadonlyMap<string, DataFile> }> {
  const names = (await readdir(join(directory, '_log'))).filter((name) => /^\d{20}(\.checkpoint)?\.json$/.test(name));
  const read = async (name: string): Promise<Logged> => {
    const logged: Logged = JSON.parse(await readFile(join(directory, '_log', name), 'utf8'));
    if (logged.format > 2) throw new Error(`${name} has format ${logged.format}, this reader knows format 2`);
    return logged;
  };
  const newest = names
    .filter((name) => name.includes('.checkpoint.'))
    .sort()
    .at(-1);
  const checkpoint = newest === undefined ? null : await read(newest);
  const files = new Map((checkpoint?.files ?? []).map((file) => [file.path, file]));
  let version = checkpoint?.version ?? 0;
  for (const name of names.filter((each) => !each.includes('.checkpoint.')).sort()) {
    if (Number(name.slice(0, 20)) <= version) continue;
    const entry = await read(name);
    if (entry.version !== version + 1) throw new Error(`version ${version + 1} is missing`);
    for (const path of entry.removed ?? []) files.delete(path);
    for (const file of entry.added ?? []) files.set(file.path, file);
    version = entry.version;
  }
  return { version, files };
}
