import { existsSync } from 'node:fs';
import { link, mkdir, readdir, readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';

/** A log entry or a checkpoint, as far as it is read here. */
interface Logged {
  readonly version: number;
  readonly added?: readonly { readonly path: string }[];
  readonly removed?: readonly string[];
  readonly files?: readonly { readonly path: string }[];
}

/**
 * Gives what the newest version of a lake names, and nothing else, names in another folder: an object store keeps
 * replaced files in their places, so that a pattern over all of its objects shows no version. Reads the log by itself.
 * @param objects a folder with all objects of the lake, below their keys
 * @throws where a file that the log names is not there
 */
export async function linkCommitted(objects: string, into: string): Promise<void> {
  const names = (await readdir(join(objects, '_log')).catch(() => [])).filter((name) => name.endsWith('.json')).sort();
  const read = async (name: string) => JSON.parse(await readFile(join(objects, '_log', name), 'utf8')) as Logged;
  const checkpoint = names.filter((name) => name.includes('checkpoint')).at(-1);
  const begun: Logged | null = checkpoint === undefined ? null : await read(checkpoint);
  const paths = new Set((begun?.files ?? []).map(({ path }) => path));
  for (const name of names.filter((each) => /^\d+\.json$/.test(each))) {
    const { version, added = [], removed = [] } = await read(name);
    if (version <= (begun?.version ?? 0)) continue;
    for (const { path } of added) paths.add(path);
    for (const path of removed) paths.delete(path);
  }
  for (const path of paths) {
    if (!existsSync(join(objects, path))) throw new Error(`the log names ${path}, and there is no such object`);
    await mkdir(dirname(join(into, path)), { recursive: true });
    await link(join(objects, path), join(into, path));
  }
}
