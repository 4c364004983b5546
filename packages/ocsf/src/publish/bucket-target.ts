import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type Day, makeFolder } from '@edrlake/core';
import { mapAtOnce, type ObjectStore, openS3, REQUEST_CONCURRENCY, refuseUnfit } from '@edrlake/lake';
import { claimBucket } from './bucket-claim.ts';
import type { OpenTarget } from './folder-target.ts';
import { STATE_FOLDER } from './layout.ts';
import type { BucketPlace } from './place.ts';
import {
  type DayDocument,
  type DayFile,
  documentIn,
  documentText,
  mixedState,
  type Publication,
  type Target,
} from './state.ts';

/** The folder of files in progress, in the folder of this machine. */
const WORK_FOLDER = 'ocsf-work';

/** An object that only a publication writes. */
const DATA_KEY = /\/eventDay=\d{8}\/\d{4}-\d{4}\.parquet$/;

/** What is known of an object of the target. */
interface Known {
  readonly bytes: number;
  readonly changedAtMs: number;
}

/** What the steps of a day work with. Paths are relative to the target. */
interface BucketTools {
  readonly objects: ObjectStore;
  readonly keyOf: (path: string) => string;
  readonly workFolder: string;
  readonly known: Map<string, Known>;
  readonly onStep: Target['onStep'];
  readonly confirm: () => Promise<void>;
  readonly writeDay: Target['writeDay'];
}

/**
 * Opens a prefix of a bucket to publish into. Its objects are listed once, and the documents of all days are read.
 * @param directory absolute path of the folder of this machine for it
 * @throws {EdrlakeError} `PUBLISH_REFUSED`, `STORE_UNFIT`, `STORE_UNREACHABLE`, `STORE_REFUSED`, `USAGE` where the
 * client library is missing
 */
export async function openBucketTarget(
  directory: string,
  { address, s3 = {} }: BucketPlace,
  { onStep, claims, processes }: OpenTarget,
): Promise<Target> {
  const objects = await openS3(address.bucket, s3);
  const root = address.prefix === '' ? '' : `${address.prefix}/`;
  const keyOf = (path: string) => `${root}${path}`;
  let release = async () => {};
  const close = async () => {
    try {
      await release();
    } finally {
      objects.close();
    }
  };
  try {
    const isNew = (await objects.stat(keyOf(PUBLICATION))) === null;
    if (claims && isNew) await refuseUnfit(objects, address);
    const terms = { address: address.text, ...(processes && { processes }) };
    const claim = claims ? await claimBucket(objects, keyOf(`${STATE_FOLDER}/`), terms) : null;
    release = claim?.release ?? release;
    const confirm = claim?.confirm ?? (async () => {});
    const listed = await objects.list(root);
    const known = new Map(listed.map(({ key, ...thing }) => [key.slice(root.length), thing]));
    const documents = await readDocuments(objects, [...known.keys()], { keyOf, address });
    const write = async (path: string, value: object) => {
      await confirm();
      await objects.put(keyOf(path), documentText(value));
    };
    const writeDay: Target['writeDay'] = async (document) => {
      await write(`${DAYS}${document.day}.json`, document);
      documents.set(document.day, documentIn(documentText(document), address.text));
    };
    const workFolder = join(directory, WORK_FOLDER);
    const tools: BucketTools = { objects, keyOf, workFolder, known, onStep, confirm, writeDay };
    const text = known.has(PUBLICATION) ? await objects.get(keyOf(PUBLICATION)) : null;
    return {
      ...{ name: address.text, onStep, workFolder, writeDay, close },
      publication: text === null ? null : documentIn<Publication>(text.toString(), `${address.text}/${PUBLICATION}`),
      writePublication: (publication) => write(PUBLICATION, publication),
      stranger: async () => [...known.keys()].find((path) => !path.startsWith('_edrlake')) ?? null,
      days: async () => [...documents.keys()].sort(),
      readDay: async (day) => documents.get(day) ?? null,
      // An object is replaced in one step, so that readers see the old or the new file of a part of a day.
      fileName: (part) => `${part}.parquet`,
      completeDay: (document) => completeDay(tools, document),
      areFilesThere: async (current) => (current?.files ?? []).every((file) => isThere(known, file)),
      clear: () => clear(tools, [...documents.values()]),
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

const PUBLICATION = `${STATE_FOLDER}/publication.json`;
const DAYS = `${STATE_FOLDER}/days/`;

async function readDocuments(
  objects: ObjectStore,
  paths: readonly string[],
  { keyOf, address }: Pick<BucketTools, 'keyOf'> & Pick<BucketPlace, 'address'>,
): Promise<Map<Day, DayDocument>> {
  const documents = new Map<Day, DayDocument>();
  const ofDays = paths.filter((path) => path.startsWith(DAYS) && path.endsWith('.json'));
  await mapAtOnce(ofDays, REQUEST_CONCURRENCY, async (path) => {
    const text = await objects.get(keyOf(path));
    if (text === null) return;
    const document = documentIn<DayDocument>(text.toString(), `${address.text}/${path}`);
    documents.set(document.day, document);
  });
  return documents;
}

/**
 * Puts the files of a day in place. Files without a successor go first, so that no event is seen twice where a day is
 * divided into other parts; each further file is replaced in one step.
 */
async function completeDay(tools: BucketTools, document: Omit<DayDocument, 'format'>): Promise<void> {
  const { objects, keyOf, known, onStep, confirm, writeDay } = tools;
  const { next, day } = document;
  if (next === null) return;
  if (!(await canComplete(tools, next))) {
    const files = new Map([...(document.current?.files ?? []), ...next.state.files].map((file) => [file.path, file]));
    const there = [...files.values()].filter(({ path }) => known.has(path));
    await writeDay({ day, current: mixedState(document, there), next: null });
    return;
  }
  for (const path of next.removes) {
    await confirm();
    await objects.delete(keyOf(path));
    known.delete(path);
    onStep('removed');
  }
  const put = new Map<string, number>();
  for (const { staged, to } of next.moves) {
    await confirm();
    await objects.putFile(keyOf(to), join(tools.workFolder, staged));
    onStep('uploaded');
    const found = await objects.stat(keyOf(to));
    if (found === null) continue;
    known.set(to, found);
    put.set(to, found.changedAtMs);
  }
  const files = next.state.files.map((file): DayFile => ({ ...file, putAtMs: put.get(file.path) ?? 0 }));
  await writeDay({ day, current: { ...next.state, files }, next: null });
  onStep('completed');
}

/** Whether all files in progress are still on this machine: an earlier run may have made them on another one. */
async function canComplete(
  { workFolder }: BucketTools,
  { state, moves }: NonNullable<DayDocument['next']>,
): Promise<boolean> {
  const bytes = new Map(state.files.map((file) => [file.path, file.bytes]));
  for (const { staged, to } of moves) {
    const found = await stat(join(workFolder, staged)).catch(() => null);
    if (found === null || found.size !== bytes.get(to)) return false;
  }
  return true;
}

/** Whether the object is the one that was put: something that was stopped for long may have written an older one. */
function isThere(known: ReadonlyMap<string, Known>, { path, bytes, putAtMs }: DayFile): boolean {
  const found = known.get(path);
  return found?.bytes === bytes && found.changedAtMs === putAtMs;
}

/** Removes files in progress, uploads that were not finished, and data that no document names. */
async function clear(tools: BucketTools, documents: readonly DayDocument[]): Promise<void> {
  const { objects, keyOf, workFolder, known, confirm } = tools;
  await rm(workFolder, { recursive: true, force: true });
  await makeFolder(workFolder);
  await confirm();
  for (const upload of await objects.openUploads(keyOf(''))) await objects.abortUpload(upload);
  const named = new Set(
    documents
      .flatMap(({ current, next }) => [...(current?.files ?? []), ...(next?.state.files ?? [])])
      .map(({ path }) => path),
  );
  for (const path of [...known.keys()].filter((name) => DATA_KEY.test(name) && !named.has(name))) {
    await objects.delete(keyOf(path));
    known.delete(path);
  }
}
