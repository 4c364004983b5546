import { randomUUID } from 'node:crypto';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Clock, type Dataset, EdrlakeError, type TableSpec } from '@edrlake/core';
import { isSamePoint, type LogPoint } from '../log/log-point.ts';
import { type ObjectLake, storeAt } from '../object-store/open-object-lake.ts';
import { isOlderViewFileOf, isViewFileOf } from '../query/view-file.ts';
import { FOLDERS } from '../storage/layout.ts';
import { loadWithDuckDb } from '../storage/load-duckdb.ts';
import type { Store } from '../storage/store.ts';
import { proofsAt } from '../verify/proof-documents.ts';
import { examineDerived } from './examine-derived.ts';
import { examineFiles } from './examine-files.ts';
import { examineLog, examineMarker } from './examine-log.ts';
import { examineWork } from './examine-work.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

/**
 * Finds everything in a lake that is not as edrlake leaves it: each file of the log, each data and index file with its
 * checksum and footer, events that are stored twice, files of no version, unfinished work, leases, views, the value
 * index and standing hunts. Changes nothing. Reads all data files unless a sample is asked for: then it reads a hundred
 * of them and no ids, so that a large lake takes seconds. While writers are at work it may report work that they are
 * about to finish.
 * @returns the damage, in the order in which it should be repaired; empty for a lake without any
 * @throws {EdrlakeError} `LAKE_MISSING`
 */
export async function examineLake(options: {
  /** Of the lake; with `objects` the work folder. */
  readonly directory: string;
  /** Where the lake is, if in an object store. Then files of no version are no damage: a vacuum removes them. */
  readonly objects?: ObjectLake;
  readonly dataset: Dataset;
  readonly clock: Clock;
  readonly memoryLimit?: string;
  /** `all` unless given. */
  readonly reads?: Examination['reads'];
}): Promise<readonly LakeDamage[]> {
  const place = { ...options, directory: resolve(options.directory) };
  const store = await storeAt(place, { writes: false, nowMs: options.clock.nowMs() });
  try {
    return await examineStore(store, options);
  } finally {
    store.remote?.close();
  }
}

async function examineStore(store: Store, options: Parameters<typeof examineLake>[0]): Promise<readonly LakeDamage[]> {
  const found: LakeDamage[] = [...(await examineFolders(store, options.dataset.tables))];
  // Files that cannot be listed would be reported as lost below.
  if (found.length > 0) return found;
  found.push(...(await examineMarker(store, { ...options, directory: store.address })));
  const { beforeStatements, openDuckDb } = await loadWithDuckDb(() => import('../storage/duckdb.ts'));
  const duckDb = await openDuckDb(null, {
    ...{ memoryLimit: options.memoryLimit ?? '512MB', threads: null, keepsRowOrder: false },
    spillDirectory: join(tmpdir(), `edrlake-spill-${randomUUID()}`),
  });
  try {
    const { remote } = store;
    const bring = (sql: string) => remote?.bringNamed(sql, (path) => ({ path })) ?? Promise.resolve();
    const connection = remote === null ? duckDb.connection : beforeStatements(duckDb.connection, bring);
    const { dataset, reads = 'all' } = options;
    const { tables } = dataset;
    const examination = { store, connection, tables, nowMs: options.clock.nowMs(), reads };
    return [...found, ...(await examineNewest(examination))];
  } finally {
    duckDb.close();
  }
}

/** Each further attempt means that a writer committed while the files were read. */
const MAX_ATTEMPTS = 5;

/**
 * A file that seems lost may be one that a writer has just replaced: the result is always that of the newest version.
 */
async function examineNewest(examination: Examination): Promise<LakeDamage[]> {
  for (let attempt = 1; ; attempt += 1) {
    const { damages, state } = await examineLog(examination);
    const isOvertaken = async () => {
      if (attempt === MAX_ATTEMPTS) return false;
      const now = (await examineLog(examination)).state;
      return state === null ? now !== null : !isSamePoint(state, now);
    };
    try {
      const found = [...damages, ...(await examineWork(examination))];
      if (state !== null) {
        found.push(...(await examineFiles(examination, state)));
        found.push(...(await examineShown(examination, state)), ...(await examineDerived(examination)));
      }
      if (found.length === 0 || !(await isOvertaken())) return found;
    } catch (thrown) {
      if (!(await isOvertaken())) throw thrown;
    }
  }
}

/** Views and proof documents, of which those of an older edrlake show this version too. */
async function examineShown(examination: Examination, point: LogPoint): Promise<LakeDamage[]> {
  const found: LakeDamage[] = [];
  const hasViews = examination.store.remote !== null || (await isViewFileOf(examination, point, true));
  if (!hasViews) found.push((await isOlderViewFileOf(examination, point)) ? OLDER_VIEWS : STALE_VIEWS);
  const proofs = await proofsAt(examination.store, point);
  if (proofs !== 'current') found.push(proofs === 'older' ? OLDER_PROOFS : STALE_PROOFS);
  return found;
}

const STALE_VIEWS: LakeDamage = {
  part: 'views',
  found: 'lake.duckdb is missing, cannot be read or does not show the newest version',
  means: 'DuckDB on lake.duckdb does not show what the lake holds; edrlake query does not use the file.',
  command: 'edrlake vacuum',
  paths: ['lake.duckdb'],
};

const OLDER_VIEWS: LakeDamage = {
  part: 'views',
  found: 'an older edrlake made lake.duckdb for a version of this number',
  means: 'edrlake query does not use it. The next command that writes the lake makes it anew; this one does it now.',
  command: 'edrlake vacuum',
  paths: ['lake.duckdb'],
  isOlder: true,
};

const STALE_PROOFS: LakeDamage = {
  part: 'proofs',
  found: '_proof is missing, not whole, was never written or does not show the newest version',
  means: 'Programs that read the proof documents do not see what the lake holds; edrlake gate does not use them.',
  command: 'edrlake vacuum',
  paths: ['_proof'],
};

const OLDER_PROOFS: LakeDamage = {
  part: 'proofs',
  found: 'an older edrlake wrote _proof for a version of this number, and not for which commit',
  means: 'edrlake verify does not use it. The next command that writes the lake makes it anew; this one does it now.',
  command: 'edrlake vacuum',
  paths: ['_proof'],
  isOlder: true,
};

/** Folders that exist and cannot be listed. */
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
        means: `Its content is unknown, so nothing else was examined. ${thrown.hint ?? ''}`.trim(),
        command: null,
        paths: [folder],
      });
    }
  }
  return found;
}
