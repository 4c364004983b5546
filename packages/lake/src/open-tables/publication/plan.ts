import type { TableFormat } from '@edrlake/core';
import type { LoggedFile } from '../../log/lake-state.ts';
import { type History, oldestWhole, readHistory, startingAt } from './history.ts';
import {
  claimPublication,
  type Publication,
  type PublishTools,
  readPublication,
  refuseOtherHistory,
} from './publication.ts';

/** What is to be published. */
export interface Plan {
  readonly claim: Publication;
  /** From where the table that is furthest behind ends. */
  readonly history: History;
  /** The version of the lake that all tables will show. */
  readonly newest: number;
  /** Of that version; null where an older edrlake did not record it. */
  readonly commitId: string | null;
  /** The files of that version. */
  readonly live: ReadonlyMap<string, LoggedFile>;
  /** Which version removed a file, for files that are not in the newest version. */
  readonly removedBy: ReadonlyMap<string, number>;
}

/** What the published tables show. */
export interface Shown {
  /** Version of the lake by table; a table without any is not in it. */
  readonly versions: ReadonlyMap<string, number>;
  /** The commit that a table says it shows; null where it does not say. */
  commitOf(table: string): Promise<string | null>;
}

/**
 * Reads the versions of the lake that published tables lack, the same for every format.
 * @param isAnew whether the tables are to be published from the beginning
 * @throws {EdrlakeError} `PUBLISH_REFUSED`, `LAKE_CORRUPT`
 */
export async function planPublication(
  { store, log, home, tables }: PublishTools,
  format: TableFormat,
  shown: Shown,
  isAnew: boolean,
): Promise<Plan> {
  const known = await readPublication(home, format);
  const restarts = known === null || isAnew;
  const behind = tables.map(({ name }) => shown.versions.get(name) ?? (known?.firstVersion ?? 0) - 1);
  const read = await readHistory(store, log, restarts ? -1 : Math.min(...behind));
  const { version: newest, commitId } = read.versions.at(-1) ?? read.first;
  const [ahead] = [...shown.versions].sort((a, b) => b[1] - a[1]);
  if (ahead !== undefined) {
    const [table, version] = ahead;
    const at = [read.first, ...read.versions].find((each) => each.version === version) ?? null;
    refuseOtherHistory(home, { version, commitId: await shown.commitOf(table) }, { newest, at });
  }
  const start = restarts ? await oldestWhole(store, read) : 0;
  const claim = known ?? (await claimPublication(home, format, startingAt(read, start).first));
  const history = startingAt(read, isAnew ? start : claim.firstVersion);
  return {
    claim,
    history,
    newest,
    commitId,
    live: startingAt(history, newest).firstFiles,
    removedBy: new Map(
      history.versions.flatMap(({ version, removed }) => removed.map(({ path }) => [path, version] as const)),
    ),
  };
}
