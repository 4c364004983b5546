import { cp, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll } from 'vitest';
import type { ObjectLake } from '../src/index.ts';
import { linkCommitted } from './committed-files.ts';
import { ADDRESS, objectsOn } from './object-address.ts';
import { type S3Server, startS3Server } from './s3-server.ts';

// Where suites that hold for every store keep their lakes: below the folder that a test names, or in an object store of
// this process, with that folder as the work folder. The suites are run once with each; see `test/README.md`.

/** Whether lakes are in object stores in this run of the tests. */
export const IN_OBJECTS = process.env.EDRLAKE_TEST_STORE === 'objects';

/** What `npm run test:long` leaves out of lists of cases there, where each case takes a process or two. */
const EVERY = Number(process.env.EDRLAKE_TEST_EVERY ?? 1);

/** Whether only a sample of the cases is tried there. */
export const IS_SAMPLE = IN_OBJECTS && EVERY > 1;

/** The cases of a suite; in object stores every third or so of them, unless all are wanted. */
export function chosenOf<T>(cases: readonly T[]): readonly T[] {
  return IN_OBJECTS ? cases.filter((_, position) => position % EVERY === 0) : cases;
}

/** Each work folder has a server of its own, so that a copy of a lake has the address of the first one. */
const servers = new Map<string, S3Server>();
const folders: string[] = [];

afterAll(async () => {
  for (const server of servers.values()) await server.close();
  servers.clear();
  for (const folder of folders.splice(0)) await rm(folder, { recursive: true, force: true });
});

async function serverOf(directory: string): Promise<S3Server> {
  const known = servers.get(directory);
  if (known !== undefined) return known;
  const server = await startS3Server();
  servers.set(directory, server);
  return server;
}

/** How to open the lake of a directory. */
export async function homeOf(directory: string): Promise<{ readonly objects?: ObjectLake }> {
  return IN_OBJECTS ? { objects: objectsOn(await serverOf(directory)) } : {};
}

/** The same, for a process of its own. */
export async function urlOf(directory: string): Promise<{ readonly url?: string }> {
  return IN_OBJECTS ? { url: (await serverOf(directory)).url } : {};
}

/** Copies a lake, with what its machine keeps for it. */
export async function copyLake(from: string, to: string): Promise<void> {
  await cp(from, to, { recursive: true });
  if (!IN_OBJECTS) return;
  const [source, target] = [await serverOf(from), await serverOf(to)];
  for (const [key, object] of source.objects) target.objects.set(key, object);
}

/** A folder with the files of the newest version, as any engine finds them; it is removed after the tests. */
export async function filesOf(directory: string): Promise<string> {
  if (!IN_OBJECTS) return directory;
  const { objects } = await serverOf(directory);
  const folder = await mkdtemp(join(tmpdir(), 'lake-objects-'));
  folders.push(folder);
  await writeObjects(objects, ADDRESS.prefix, join(folder, 'all'));
  await mkdir(join(folder, 'newest'));
  await linkCommitted(join(folder, 'all'), join(folder, 'newest'));
  return join(folder, 'newest');
}

/** Writes the objects below a prefix as files. */
export async function writeObjects(objects: S3Server['objects'], prefix: string, into: string): Promise<void> {
  // Taken at one moment: a command may be at work on them.
  for (const [key, { body }] of [...objects]) {
    if (!key.startsWith(`${prefix}/`)) continue;
    const path = join(into, key.slice(prefix.length + 1));
    await mkdir(dirname(path), { recursive: true });
    await writeFile(path, body);
  }
}

/** Removes a file or a folder of the lake, as a person would. */
export async function loseFile(directory: string, path: string): Promise<void> {
  if (IN_OBJECTS) {
    const { objects } = await serverOf(directory);
    const key = `${ADDRESS.prefix}/${path}`;
    for (const name of [...objects.keys()]) if (name === key || name.startsWith(`${key}/`)) objects.delete(name);
  }
  await rm(join(directory, IN_OBJECTS ? 'cache' : '', path), { force: IN_OBJECTS, recursive: true });
}

/** Writes a file of the lake, as no program of ours would. */
export async function damageFile(directory: string, path: string, content: string): Promise<void> {
  if (!IN_OBJECTS) return writeFile(join(directory, path), content);
  const { objects } = await serverOf(directory);
  objects.set(`${ADDRESS.prefix}/${path}`, { body: Buffer.from(content), changedAtMs: Date.now() });
  await rm(join(directory, 'cache', path), { force: true });
}

/** The text of a file of the lake. */
export async function textOf(directory: string, path: string): Promise<string> {
  if (!IN_OBJECTS) return readFile(join(directory, path), 'utf8');
  return `${(await serverOf(directory)).objects.get(`${ADDRESS.prefix}/${path}`)?.body}`;
}

/** Names in a folder of the lake. */
export async function namesIn(directory: string, folder: string): Promise<string[]> {
  if (!IN_OBJECTS) return readdir(join(directory, folder));
  const prefix = `${ADDRESS.prefix}/${folder}/`;
  const keys = [...(await serverOf(directory)).objects.keys()].filter((key) => key.startsWith(prefix));
  return [...new Set(keys.map((key) => key.slice(prefix.length).split('/')[0] ?? ''))].sort();
}

/** Changes the newest entry of the log, as no program of ours would. */
export async function editNewestEntry(
  directory: string,
  edit: (entry: Record<string, unknown>) => Record<string, unknown>,
): Promise<void> {
  const [newest = ''] = (await namesIn(directory, '_log'))
    .filter((name) => /^\d{20}\.json$/.test(name))
    .sort()
    .slice(-1);
  const path = `_log/${newest}`;
  const entry = JSON.parse(await textOf(directory, path)) as Record<string, unknown>;
  // Its copies have the content that an entry keeps for ever.
  await damageFile(directory, path, JSON.stringify(edit(entry)));
}
