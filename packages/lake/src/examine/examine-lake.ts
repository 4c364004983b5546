import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Clock, EdrlakeError, type TableSpec } from '@edrlake/core';
import { isViewFileOf } from '../query/views.ts';
import { FOLDERS } from '../storage/layout.ts';
import { localStore, type Store } from '../storage/store.ts';
import { examineFiles } from './examine-files.ts';
import { examineLog, examineMarker } from './examine-log.ts';
import { examineWork } from './examine-work.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

/**
 * Looks for everything about a lake that is not as edrlake leaves it: each file of the log, each data and index file with its
 * checksum and footer, events that are stored twice, files of no version, unfinished work, leases, and views. Changes nothing.
 * Reads all data files unless a sample is asked for: then a hundred of them and not the ids, so that a large lake takes seconds. While writers are at work it may call unfinished what they are about to finish.
 * @returns what was found, in the order in which it should be repaired; empty for a sound lake
 * @throws {EdrlakeError} `LAKE_MISSING`
 */
export async function examineLake(options: {
  readonly directory: string;
  readonly tables: readonly TableSpec[];
  readonly clock: Clock;
  readonly memoryLimit?: string;
  /** `all` unless given. */
  readonly reads?: Examination['reads'];
}): Promise<readonly LakeDamage[]> {
  const store = localStore(resolve(options.directory));
  const found: LakeDamage[] = [...(await examineFolders(store, options.tables))];
  // What cannot be listed would be called lost below.
  if (found.length > 0) return found;
  found.push(...(await examineMarker(store, options)));
  const duckDb = await (await import('../storage/duckdb.ts')).openDuckDb(null, {
    ...{ memoryLimit: options.memoryLimit ?? '512MB', threads: null, keepsRowOrder: false },
    spillDirectory: join(tmpdir(), `edrlake-spill-${randomUUID()}`),
  });
  try {
    const { connection } = duckDb;
    const { tables, reads = 'all' } = options;
    const examination = { store, connection, tables, nowMs: options.clock.nowMs(), reads };
    return [...found, ...(await examineNewest(examination))];
  } finally {
    duckDb.close();
  }
}

/** Each further try means that a writer committed while the files were read. */
const MAX_TRIES = 5;

/** A file that seems lost may be one that a writer has just replaced: what is found in the end is so in the newest version. */
async function examineNewest(examination: Examination): Promise<LakeDamage[]> {
  for (let tries = 1; ; tries += 1) {
    const { damages, state } = await examineLog(examination);
    const isOvertaken = async () =>
      tries < MAX_TRIES && (await examineLog(examination)).state?.version !== state?.version;
    try {
      const found = [...damages, ...(await examineWork(examination))];
      if (state !== null) {
        found.push(...(await examineFiles(examination, state)));
        if (!(await isViewFileOf(examination, state.version, true))) found.push(STALE_VIEWS);
      }
      if (found.length === 0 || !(await isOvertaken())) return found;
    } catch (thrown) {
      if (!(await isOvertaken())) throw thrown;
    }
  }
}

const STALE_VIEWS: LakeDamage = {
  part: 'views',
  found: 'lake.duckdb is missing, cannot be read, is of an older edrlake or does not show the newest version',
  means: 'Shells on lake.duckdb show less than the lake holds; edrlake query does not use it.',
  command: 'edrlake vacuum',
  paths: ['lake.duckdb'],
};

/** Folders that are there and cannot be listed. */
async function examineFolders(store: Store, tables: readonly TableSpec[]): Promise<LakeDamage[]> {
  const found: LakeDamage[] = [];
  for (const folder of ['', ...Object.values(FOLDERS), ...tables.map(({ name }) => name)]) {
    try {
      if (tables.some(({ name }) => name === folder)) await store.walk(folder);
      else await store.list(folder);
    } catch (thrown) {
      if (!(thrown instanceof EdrlakeError)) throw thrown;
      found.push({
        part: 'folders',
        found: thrown.message,
        means: `What is in it is unknown, so nothing else was looked at. ${thrown.hint ?? ''}`.trim(),
        command: null,
        paths: [folder],
      });
    }
  }
  return found;
}
