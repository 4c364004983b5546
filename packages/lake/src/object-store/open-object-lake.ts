import { randomUUID } from 'node:crypto';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { EdrlakeError, MS_PER_DAY, makeFolder, type ObjectAddress, unwritable, writeAtomic } from '@edrlake/core';
import { FORMAT_FILE, PROBE_FOLDER } from '../storage/layout.ts';
import { localStore, PARTIAL_SUFFIX, type ReadsChoice, type Store } from '../storage/store.ts';
import { CACHE_FOLDER, objectLakeStore } from './object-lake-store.ts';
import type { ObjectStore } from './object-store.ts';
import { openS3, type S3Settings } from './s3-object-store.ts';

/** A lake whose files are in an object store. */
export interface ObjectLake {
  readonly address: ObjectAddress;
  readonly s3?: S3Settings;
  /** Local copies are removed beyond this size, those that were not used for the longest time first; 20 GiB. */
  readonly cacheBytes?: number;
  /** How queries read the files; `auto` unless given. */
  readonly reads?: ReadsChoice;
}

/** Where a lake is: in a folder of this machine, or in an object store with a work folder of this machine. */
export interface LakePlace {
  /** Of the lake; with `objects` the work folder. */
  readonly directory: string;
  readonly objects?: ObjectLake;
}

/** What this machine knows of the lake that its work folder belongs to. */
interface Known {
  readonly address: string;
  readonly endpoint: string;
  /** The marker of the lake, whose objects the copies are of. */
  readonly marker: string | null;
  /** When the object store was last found fit; 0 for never. */
  readonly probedAtMs: number;
}

const KNOWN_FILE = 'object-lake.json';

/** For how long an object store that was found fit is not probed again. */
const PROBE_MS = 30 * MS_PER_DAY;

/**
 * The store of a lake. For one in an object store: loads the client library, drops the local copies where the lake at
 * the address is another one now, and probes the object store before it is written to for the first time.
 * @param nowMs decides only when it is probed again
 * @throws {EdrlakeError} `USAGE` for a work folder of another lake, and where the client library is missing;
 * `STORE_UNFIT`, `STORE_UNREACHABLE`, `STORE_REFUSED`, `LAKE_UNWRITABLE`
 */
export async function storeAt(
  { directory, objects: lake }: LakePlace,
  { writes, nowMs }: { readonly writes: boolean; readonly nowMs: number },
): Promise<Store> {
  if (lake === undefined) return localStore(directory);
  const { address, s3 = {} } = lake;
  const objects = await openS3(address.bucket, s3);
  try {
    const store = objectLakeStore(objects, address, directory, { cacheBytes: lake.cacheBytes, reads: lake.reads });
    await mkdir(join(directory, CACHE_FOLDER), { recursive: true }).catch((thrown) => {
      throw unwritable(directory, thrown);
    });
    const endpoint = s3.endpoint ?? '';
    const before = await readKnown(directory, address);
    const marker = await store.read(FORMAT_FILE);
    if (before !== null && before.marker !== null && before.marker !== marker) {
      await rm(join(directory, CACHE_FOLDER), { recursive: true, force: true });
    }
    const isFit = before !== null && before.endpoint === endpoint && nowMs - before.probedAtMs < PROBE_MS;
    if (writes && !isFit) await refuseUnfit(objects, address);
    const probedAtMs = writes && !isFit ? nowMs : isFit ? before.probedAtMs : 0;
    const known: Known = { address: address.text, endpoint, marker, probedAtMs };
    if (JSON.stringify(known) !== JSON.stringify(before)) await writeKnown(directory, known);
    const remember = async () => {
      if (known.marker === null) await writeKnown(directory, { ...known, marker: await store.read(FORMAT_FILE) });
    };
    return { ...store, remote: store.remote && { ...store.remote, remember } };
  } catch (thrown) {
    objects.close();
    throw thrown;
  }
}

/** null for a new work folder. @throws {EdrlakeError} `USAGE` for one of another lake */
async function readKnown(directory: string, address: ObjectAddress): Promise<Known | null> {
  const text = await readFile(join(directory, KNOWN_FILE), 'utf8').catch(() => null);
  let known: Known | null = null;
  try {
    known = text === null ? null : (JSON.parse(text) as Known);
  } catch {
    return null;
  }
  if (known === null || known.address === address.text) return known;
  throw new EdrlakeError('USAGE', `${directory} is the work folder of ${known.address}, expected ${address.text}`, {
    context: { directory },
    hint: 'Give each lake a work folder of its own with --work.',
  });
}

async function writeKnown(directory: string, known: Known): Promise<void> {
  await makeFolder(directory);
  const path = join(directory, KNOWN_FILE);
  const temporary = `${path}.${randomUUID()}${PARTIAL_SUFFIX}`;
  const refusal = (_: string, thrown: unknown) => unwritable(path, thrown);
  await writeAtomic(path, `${JSON.stringify(known)}\n`, { temporary, refusal, syncs: 'bytes' });
}

/** Writers of the probe: one of them must win. */
const RACERS = 4;

/**
 * Writes one object twice, and by several writers at once, and lists it.
 * @throws {EdrlakeError} `STORE_UNFIT` where more than one of them wins, or the list lacks it
 */
export async function refuseUnfit(objects: ObjectStore, { prefix, text }: ObjectAddress): Promise<void> {
  const folder = `${prefix === '' ? '' : `${prefix}/`}${PROBE_FOLDER}/`;
  const key = `${folder}${randomUUID()}`;
  const put = async (content: string) => {
    const outcome = await objects.putIfAbsent(key, content);
    if (typeof outcome === 'object') throw outcome.doubt;
    return outcome;
  };
  try {
    const raced = await Promise.all(Array.from({ length: RACERS }, (_, writer) => put(`writer ${writer}`)));
    const wins = raced.filter((outcome) => outcome === 'created').length;
    if (wins !== 1) throw unfit(text, `${wins} of ${RACERS} writers created one object with If-None-Match: *`);
    if ((await put('later')) === 'created') throw unfit(text, 'a second PUT with If-None-Match: * replaced the object');
    const listed = await objects.list(folder);
    if (!listed.some((object) => object.key === key)) throw unfit(text, 'a list after the write lacks the object');
  } finally {
    await objects.delete(key).catch(() => undefined);
  }
}

function unfit(address: string, found: string): EdrlakeError {
  return new EdrlakeError('STORE_UNFIT', `the object store of ${address} cannot hold a lake: ${found}`, {
    context: { address },
    hint: 'Two writers could both commit there, and one would be lost. Use a store with conditional writes.',
  });
}
