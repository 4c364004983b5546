import { randomUUID } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Clock,
  type Dataset,
  EdrlakeError,
  isoInstant,
  makeFolder,
  type TableSpec,
  unwritable,
} from '@edrlake/core';
import { FOLDERS, FORMAT, FORMAT_FILE, isOfTheMachine } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { syncParentFolders } from '../storage/sync-parents.ts';
import type { WantedOwner } from './commit-context.ts';
import { type LakeState, schemaOf } from './lake-state.ts';
import { tablesIn } from './live-tables.ts';
import { checkFormat } from './log-files.ts';

/** How the directory is to be opened. */
interface Opening {
  readonly dataset: Dataset;
  readonly clock: Clock;
  readonly create: boolean;
  readonly readOnly: boolean;
  readonly owner?: Pick<WantedOwner, 'subscription'> | null;
}

/**
 * Makes sure that the directory is a lake of the known format; makes an empty one where `create` says so.
 * @returns the subscription that its marker names, which is that of its creation; undefined for none
 * @throws {EdrlakeError} `LAKE_MISSING`, `LAKE_UNWRITABLE`, `LAKE_INCOMPATIBLE`, `LAKE_CORRUPT`
 */
export async function prepareDirectory(directory: string, store: Store, options: Opening): Promise<unknown> {
  let marker = await readMarker(store, options.dataset);
  if (marker === null) {
    if (options.readOnly || !options.create) {
      throw new EdrlakeError('LAKE_MISSING', `there is no lake at ${store.address}`, {
        context: { directory },
        hint: 'Check --lake, or make one with edrlake backfill.',
      });
    }
    await makeDirectories(directory, store);
    await syncParentFolders(directory);
    const id = store.remote === null ? null : randomUUID();
    await store.putIfAbsent(
      FORMAT_FILE,
      markerText(options.dataset, options.clock.nowMs(), id, options.owner?.subscription),
    );
    marker = await readMarker(store, options.dataset);
  }
  checkFormat(FORMAT_FILE, marker?.format);
  refuseOtherDataset(marker?.dataset, options.dataset, store.address);
  if (options.readOnly) return marker?.subscription;
  await access(directory, constants.W_OK | constants.X_OK).catch((thrown) => {
    throw unwritable(directory, thrown);
  });
  // A backup or a person may have left out folders of a lake because they were empty.
  await makeDirectories(directory, store);
  return marker?.subscription;
}

/**
 * The file that marks a folder as a lake.
 * @param createdAtMs null: it does not say when it was made
 * @param id distinguishes a lake in an object store from another one at the same address; null for a lake on a disk
 * @param subscription for which it is made; undefined for none
 */
export function markerText(
  { name, unnamedLakes }: Dataset,
  createdAtMs: number | null,
  id: string | null = null,
  subscription?: unknown,
): string {
  return JSON.stringify({
    format: FORMAT,
    ...(createdAtMs !== null && { createdAt: isoInstant(createdAtMs) }),
    ...(unnamedLakes !== true && { dataset: name }),
    ...(id !== null && { id }),
    ...(subscription !== undefined && { subscription }),
  });
}

/**
 * Refuses a dataset that the lake does not hold: rows of two kinds would share its tables and its proofs.
 * @param recorded what the lake's marker says
 * @throws {EdrlakeError} `LAKE_OTHER_DATASET`
 */
export function refuseOtherDataset(recorded: unknown, { name, unnamedLakes }: Dataset, directory: string): void {
  const isOwn = recorded === name || (recorded === undefined && unnamedLakes === true);
  if (isOwn) return;
  const found = recorded === undefined ? 'another dataset' : `the dataset ${String(recorded)}`;
  throw new EdrlakeError('LAKE_OTHER_DATASET', `the lake at ${directory} holds ${found}, expected ${name}`, {
    context: { directory },
    hint: 'Name the dataset of the lake with --dataset, or give another folder with --lake.',
  });
}

/** What the marker of a lake says. */
interface Marker {
  readonly format: unknown;
  readonly dataset?: unknown;
  readonly subscription?: unknown;
}

/** The marker of a lake, null where there is none. @throws {EdrlakeError} `LAKE_CORRUPT` */
export async function readMarker(store: Store, dataset: Dataset): Promise<Marker | null> {
  const text = await store.read(FORMAT_FILE);
  if (text === null) return null;
  try {
    return JSON.parse(text) as Marker;
  } catch (thrown) {
    throw new EdrlakeError('LAKE_CORRUPT', `${store.address}/${FORMAT_FILE} is not JSON`, {
      cause: thrown,
      hint: `Restore it; its content is ${markerText(dataset, null)}.`,
    });
  }
}

/** Makes the folders of a lake; of one in an object store, those of this machine. */
export async function makeDirectories(directory: string, store: Store): Promise<void> {
  for (const folder of Object.values(FOLDERS)) {
    if (store.remote === null || isOfTheMachine(folder)) await makeFolder(join(directory, folder));
  }
}

/**
 * Refuses a program that does not know all columns of the lake: rewriting a file would lose the unknown ones.
 * @throws {EdrlakeError} `LAKE_INCOMPATIBLE`
 */
export function refuseOlderProgram(state: LakeState, tables: readonly TableSpec[]): void {
  const mine = schemaOf(tablesIn(tables, state));
  for (const [table, columns] of Object.entries(state.schemas.get(state.schemaVersion) ?? {})) {
    for (const { name, type } of columns) {
      if (mine[table]?.some((column) => column.name === name && column.type === type)) continue;
      throw new EdrlakeError(
        'LAKE_INCOMPATIBLE',
        `the lake has a column ${table}.${name} (${type}) that this edrlake does not know`,
        {
          context: { table, column: name },
          hint: 'A newer edrlake has written this lake: update edrlake on this machine before writing to it.',
        },
      );
    }
  }
}
