import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { type Clock, EdrlakeError, isoInstant, type TableSpec, unwritable } from '@edrlake/core';
import { syncParentFolders } from '../storage/lasting-name.ts';
import { FOLDERS, FORMAT, FORMAT_FILE } from '../storage/layout.ts';
import { makeFolder, type Store } from '../storage/store.ts';
import { type LakeState, schemaOf } from './lake-state.ts';
import { checkFormat } from './log-files.ts';

/** How the directory is to be opened. */
interface Opening {
  readonly clock: Clock;
  readonly create: boolean;
  readonly readOnly: boolean;
}

/**
 * Makes sure that the directory is a lake of the known format; makes an empty one where `create` says so.
 * @throws {EdrlakeError} `LAKE_MISSING`, `LAKE_UNWRITABLE`, `LAKE_INCOMPATIBLE`, `LAKE_CORRUPT`
 */
export async function prepareDirectory(directory: string, store: Store, options: Opening): Promise<void> {
  let marker = await readMarker(store, directory);
  if (marker === null) {
    if (options.readOnly || !options.create) {
      throw new EdrlakeError('LAKE_MISSING', `there is no lake at ${directory}`, {
        context: { directory },
        hint: 'Check --lake, or make one with edrlake backfill.',
      });
    }
    await makeDirectories(directory);
    await syncParentFolders(directory);
    await store.putIfAbsent(
      FORMAT_FILE,
      JSON.stringify({ format: FORMAT, createdAt: isoInstant(options.clock.nowMs()) }),
    );
    marker = await readMarker(store, directory);
  }
  checkFormat(FORMAT_FILE, marker?.format);
  if (options.readOnly) return;
  await access(directory, constants.W_OK | constants.X_OK).catch((thrown) => {
    throw unwritable(directory, thrown);
  });
  // A backup or a person may have left out folders of a lake because they were empty.
  await makeDirectories(directory);
}

async function readMarker(store: Store, directory: string): Promise<{ readonly format: unknown } | null> {
  const text = await store.read(FORMAT_FILE);
  if (text === null) return null;
  try {
    return JSON.parse(text) as { format: unknown };
  } catch (thrown) {
    throw new EdrlakeError('LAKE_CORRUPT', `${join(directory, FORMAT_FILE)} is not JSON`, {
      cause: thrown,
      hint: `Restore it; its content is {"format":${FORMAT}}.`,
    });
  }
}

async function makeDirectories(directory: string): Promise<void> {
  for (const folder of Object.values(FOLDERS)) {
    await makeFolder(join(directory, folder));
  }
}

/**
 * Refuses a program that does not know all columns of the lake: rewriting a file would lose the unknown ones.
 * @throws {EdrlakeError} `LAKE_INCOMPATIBLE`
 */
export function refuseOlderProgram(state: LakeState, tables: readonly TableSpec[]): void {
  const mine = schemaOf(tables);
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
