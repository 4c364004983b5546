import { isAbsolute, relative, resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { CommitLog } from '../../log/commit-log.ts';
import type { LoggedFile } from '../../log/lake-state.ts';
import { lostAmong } from '../../log/lost-files.ts';
import { FOLDERS, isTableMetadata, PUBLISHED, trashFolder } from '../../storage/layout.ts';
import type { Store } from '../../storage/store.ts';

/**
 * Where the published tables are. Readers of Delta find only files below the folder of a table, and a file has one
 * path in all versions. But the lake moves replaced files to its trash, so that patterns over its folders never match
 * them. So each data file gets a second name (a hard link) below the published table, which lasts until the lake's
 * vacuum deletes the file. No byte is copied.
 */
export interface TableHome {
  /** The store of the lake. */
  readonly store: Store;
  /** Folder of the tables, relative to the lake; empty where the tables are published in their own folders. */
  readonly root: string;
  /** `_tables/events/event_date=2020-08-17/….parquet` */
  pathOf(file: LoggedFile): string;
  /** The address of a path that is relative to the lake: `file:///…` or `s3://…`. */
  addressOf(path: string): string;
  /** `_tables/events` */
  folderOf(table: string): string;
  /** The absolute path of a path that is relative to the lake, or its address in an object store. */
  locate(path: string): string;
  /**
   * Makes sure that files can be found below the published table.
   * @param removedBy versions that removed files, by path: where to look for them in the trash
   * @returns paths of those that are gone
   */
  provide(files: readonly LoggedFile[], removedBy: ReadonlyMap<string, number>): Promise<string[]>;
  /** Takes away second names outside of the lake of files that are neither in the newest version nor in the trash. */
  prune(log: CommitLog, tables: readonly string[]): Promise<number>;
}

/**
 * @param directory of the lake
 * @param to a folder of the same file system, or null for `_tables` in the lake
 * @throws {EdrlakeError} `USAGE` where `to` cannot be
 */
export function tableHome(store: Store, directory: string, to: string | null): TableHome {
  const isRemote = store.remote !== null;
  if (isRemote && to !== null) {
    throw new EdrlakeError('USAGE', '--to: a lake in an object store publishes its tables beside its data only', {
      hint: 'Leave --to away.',
    });
  }
  const root = isRemote ? '' : to === null ? PUBLISHED : relative(directory, resolve(to));
  refuseRoot(root, isRemote);
  const folderOf = (table: string) => (root === '' ? table : `${root}/${table}`);
  return {
    store,
    root,
    pathOf: ({ path }) => (root === '' ? path : `${root}/${path}`),
    addressOf: (path) => (isRemote ? `${store.address}/${path}` : `file://${store.locate(path)}`),
    folderOf,
    locate: (path) => (isRemote ? [store.address, ...(path === '' ? [] : [path])].join('/') : store.locate(path)),
    provide: async (files, removedBy) => {
      if (isRemote) return [...(await store.absent(files.map(({ path }) => path)))];
      const missing = await store.absent(files.map(({ path }) => `${root}/${path}`));
      const gone: string[] = [];
      for (const { path } of files) {
        const target = `${root}/${path}`;
        if (missing.has(target) && !(await linkFrom(store, path, target, removedBy.get(path)))) gone.push(path);
      }
      return gone;
    },
    // In the lake, vacuum does it, after its grace period.
    prune: async (log, tables) => (isRemote || root === PUBLISHED ? 0 : prune(store, root, log, tables)),
  };
}

/** Only folders that nothing else uses: the lake's own have other owners. */
function refuseRoot(root: string, isRemote: boolean): void {
  const isOutside = root.startsWith('..') || isAbsolute(root);
  if (isRemote || root === PUBLISHED || isOutside) return;
  throw new EdrlakeError('USAGE', `--to: expected a folder outside of the lake, found ${root === '' ? 'it' : root}`, {
    hint: `Without --to, tables are published in ${PUBLISHED} of the lake.`,
  });
}

/** The file may be moved to the trash at any moment, so it is looked for there as well, and then once more. */
async function linkFrom(store: Store, path: string, target: string, removedBy: number | undefined): Promise<boolean> {
  const link = async (from: string) => {
    try {
      return (await store.link(from, target)) !== 'gone';
    } catch (thrown) {
      if (!isOtherDevice(thrown)) throw thrown;
      throw new EdrlakeError('PUBLISH_REFUSED', `--to: ${target} is on another file system than the lake`, {
        cause: thrown,
        hint: 'Published tables give each data file a second name (a hard link). Choose a folder beside the lake.',
      });
    }
  };
  if (await link(path)) return true;
  const folders = removedBy === undefined ? await store.list(FOLDERS.trash) : [trashFolder(removedBy)];
  for (const folder of folders) if (await link(`${FOLDERS.trash}/${folder}/${path}`)) return true;
  return link(path);
}

function isOtherDevice(thrown: unknown): boolean {
  for (let error = thrown; error instanceof Error; error = error.cause) {
    if ('code' in error && error.code === 'EXDEV') return true;
  }
  return false;
}

async function prune(store: Store, root: string, log: CommitLog, tables: readonly string[]): Promise<number> {
  const linked: string[] = [];
  for (const table of tables) {
    const folders = (await store.list(`${root}/${table}`)).filter((name) => !isTableMetadata(`${table}/${name}`));
    for (const folder of folders) {
      const names = await store.list(`${root}/${table}/${folder}`);
      linked.push(...names.map((name) => `${table}/${folder}/${name}`));
    }
  }
  const gone = await lostAmong(store, log, linked);
  for (const path of gone) await store.remove(`${root}/${path}`);
  return gone.length;
}
