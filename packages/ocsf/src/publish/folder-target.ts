import { randomUUID } from 'node:crypto';
import { readdir, readFile, rename, rm, rmdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import {
  claimFolder,
  errnoOf,
  makeFolder,
  type ProcessTable,
  syncNames,
  syncPath,
  unwritable,
  writeAtomic,
} from '@edrlake/core';
import { STATE_FOLDER } from './layout.ts';
import {
  type DayDocument,
  type DayFile,
  documentIn,
  documentText,
  mixedState,
  type Publication,
  type Target,
  targetHeld,
} from './state.ts';

/** How a target is opened. */
export interface OpenTarget {
  readonly onStep: Target['onStep'];
  /** Whether to take it for this process; without that, nothing is changed. */
  readonly claims: boolean;
  readonly processes?: ProcessTable;
}

/** Opens a folder to publish into. @throws {EdrlakeError} `PUBLISH_REFUSED`, `LAKE_UNWRITABLE` */
export async function openFolderTarget(directory: string, { onStep, claims, processes }: OpenTarget): Promise<Target> {
  const folder = join(directory, STATE_FOLDER);
  const daysFolder = join(folder, 'days');
  const workFolder = join(folder, 'work');
  const path = join(folder, 'publication.json');
  const close = claims ? await claimTarget(folder, processes) : async () => {};
  const clear = async () => {
    await rm(workFolder, { recursive: true, force: true });
    await makeFolder(workFolder);
  };
  const writeDay: Target['writeDay'] = (document) => writeDocument(join(daysFolder, `${document.day}.json`), document);
  const place: FolderPlace = { directory, workFolder, onStep, writeDay };
  try {
    return {
      ...{ name: directory, onStep, workFolder, writeDay, clear, close },
      publication: await readDocument<Publication>(path),
      writePublication: (publication) => writeDocument(path, publication),
      stranger: async () =>
        (await namesIn(directory)).find((name) => !name.startsWith('_edrlake') && !name.startsWith('.')) ?? null,
      days: async () => {
        const names = await namesIn(daysFolder);
        return names.flatMap((name) => /^(\d{4}-\d{2}-\d{2})\.json$/.exec(name)?.[1] ?? []).sort();
      },
      readDay: (day) => readDocument<DayDocument>(join(daysFolder, `${day}.json`)),
      fileName: (part) => `${part}-${randomUUID().slice(0, 8)}.parquet`,
      completeDay: (document) => completeDay(place, document),
      areFilesThere: async (current) => {
        for (const { path: file, bytes } of current?.files ?? []) {
          if ((await sizeOf(join(directory, file))) !== bytes) return false;
        }
        return true;
      },
    };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

/** Takes the target for this process. @returns gives it back */
async function claimTarget(folder: string, processes: ProcessTable | undefined): Promise<() => Promise<void>> {
  await makeFolder(folder);
  const terms = { name: 'owner', refusal: targetHeld, diskRefusal: unwritable };
  return claimFolder(folder, { ...terms, ...(processes && { processes }) });
}

async function writeDocument(file: string, value: object): Promise<void> {
  const above = await makeFolder(dirname(file));
  for (const made of above) await syncPath(dirname(made));
  await writeAtomic(file, documentText(value), {
    temporary: `${file}.${randomUUID()}.part`,
    syncs: 'name',
    refusal: unwritable,
  });
}

async function readDocument<T extends { readonly format: number }>(path: string): Promise<T | null> {
  const text = await readFile(path, 'utf8').catch((thrown: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(thrown))) return null;
    throw thrown;
  });
  return text === null ? null : documentIn<T>(text, path);
}

/** Empty where there is no such folder. */
async function namesIn(folder: string): Promise<string[]> {
  return readdir(folder).catch((thrown: unknown) => {
    if (errnoOf(thrown) === 'ENOENT') return [];
    throw thrown;
  });
}

type FolderPlace = Pick<Target, 'workFolder' | 'onStep' | 'writeDay'> & { readonly directory: string };

/**
 * Puts the files of a day in place, as its document says, and notes that it is done. It can be interrupted anywhere and
 * called again.
 *
 * A file that replaces one takes over its name first, and is then given its own: both are one step for a reader of the
 * folder, who sees the rows of the slot once at any time. Files without a predecessor come before those without a
 * successor go. Only an event that moves to another slot may be seen twice for a moment, under one `metadata.uid`, or
 * not at all; readers of the document of the day see neither.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
async function completeDay(state: FolderPlace, document: Omit<DayDocument, 'format'>): Promise<void> {
  const { next, day } = document;
  if (next === null) return;
  const place = (path: string) => join(state.directory, path);
  if (!(await canComplete(state, next))) {
    await state.writeDay({ day, current: await whatIsThere(state, document), next: null });
    return;
  }
  const touched = new Set<string>();
  for (const { staged, to, replaces } of next.moves) {
    await makeDurableFolder(dirname(place(to)));
    touched.add(dirname(place(to)));
    const source = join(state.workFolder, staged);
    if (replaces === null) {
      if (await renameIfThere(source, place(to))) state.onStep('renamed');
      continue;
    }
    touched.add(dirname(place(replaces)));
    // Where the source is gone, the first step was done, and the old name holds the new file.
    if (await renameIfThere(source, place(replaces))) {
      await syncNames(dirname(place(replaces)));
      state.onStep('replaced');
    }
    if (await renameIfThere(place(replaces), place(to))) state.onStep('renamed');
  }
  for (const folder of touched) await syncNames(folder);
  for (const path of next.removes) {
    await rm(place(path), { force: true });
    state.onStep('removed');
    touched.add(dirname(place(path)));
  }
  for (const folder of touched) await syncNames(folder);
  await state.writeDay({ day, current: next.state, next: null });
  state.onStep('completed');
  for (const path of next.removes) await removeEmptyFolder(dirname(place(path)));
}

type Next = NonNullable<DayDocument['next']>;

/** Whether each new file is in the work folder or further. It is, unless something else has removed it. */
async function canComplete(state: FolderPlace, { state: wanted, moves }: Next): Promise<boolean> {
  const bytes = new Map(wanted.files.map((file) => [file.path, file.bytes]));
  for (const { staged, to, replaces } of moves) {
    const places = [join(state.workFolder, staged), join(state.directory, to)];
    if (replaces !== null) places.push(join(state.directory, replaces));
    const sizes = await Promise.all(places.map(sizeOf));
    if (!sizes.includes(bytes.get(to) ?? -1)) return false;
  }
  return true;
}

async function whatIsThere({ directory }: FolderPlace, document: Pick<DayDocument, 'current' | 'next'>) {
  const files: DayFile[] = [];
  for (const file of [...(document.current?.files ?? []), ...(document.next?.state.files ?? [])]) {
    if ((await sizeOf(join(directory, file.path))) !== null) files.push(file);
  }
  return mixedState(document, files);
}

async function sizeOf(path: string): Promise<number | null> {
  return stat(path).then(
    ({ size }) => size,
    () => null,
  );
}

async function renameIfThere(from: string, to: string): Promise<boolean> {
  try {
    await rename(from, to);
    return true;
  } catch (thrown) {
    if (errnoOf(thrown) === 'ENOENT') return false;
    throw unwritable(to, thrown);
  }
}

async function makeDurableFolder(folder: string): Promise<void> {
  for (const made of await makeFolder(folder)) await syncPath(dirname(made));
}

/** Best effort: an empty folder is no error, and another file may be in it. */
async function removeEmptyFolder(folder: string): Promise<void> {
  await rmdir(folder).catch(() => undefined);
}
