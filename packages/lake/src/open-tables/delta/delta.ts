import type { TableSpec } from '@edrlake/core';
import type { LoggedFile } from '../../log/lake-state.ts';
import { EVENTS } from '../../storage/layout.ts';
import { statsOfFile } from '../publication/column-stats.ts';
import type { LakeVersion } from '../publication/history.ts';
import { planPublication } from '../publication/plan.ts';
import {
  completePublication,
  type Publication,
  type Published,
  type PublishTools,
  requireFiles,
} from '../publication/publication.ts';
import { columnsAt } from '../publication/published-columns.ts';
import {
  type Action,
  addAction,
  commitInfoAction,
  commitOf,
  metaDataAction,
  PROTOCOL,
  removeAction,
  txnAction,
} from './delta-actions.ts';
import { type DeltaLog, entryName, parseDeltaName, readFilesOf, writeCheckpoint } from './delta-checkpoint.ts';

/** A checkpoint is written at each version that is a multiple of it. */
const CHECKPOINT_EVERY = 10;

/** The newest version of each table that is in its log. */
type NewestEntries = Map<string, number>;

/**
 * Publishes each table as a Delta table: version n of each is version n of the lake. A Delta log has one table, and no
 * commit over several: tables of child rows get a version before `events` does, so that an event that is seen has its
 * rows, and after it where rows only go away.
 *
 * Every entry is put if absent and follows from the lake's log alone: publishers that race, and one that goes on after
 * a crash, write the same text.
 * @throws {EdrlakeError} `PUBLISH_REFUSED`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`
 */
export async function publishDelta(tools: PublishTools): Promise<Published> {
  const { home, tables, signal } = tools;
  const entries = await newestEntries(tools);
  const commitAt = async (table: string) => {
    const path = `${logFolder(home, table)}/${entryName(entries.get(table) ?? -1)}`;
    return commitOf((await tools.store.read(path)) ?? '');
  };
  const plan = await planPublication(tools, 'delta', { versions: entries, commitOf: commitAt }, false);
  const { claim, history, newest, commitId, live, removedBy } = plan;
  const files = new Map(history.firstFiles);
  let written = 0;
  let { firstVersion } = claim;
  let before: LakeVersion | null = null;
  for (const version of [history.first, ...history.versions]) {
    for (const { path } of version.removed) files.delete(path);
    for (const file of version.added) files.set(file.path, file);
    let isWritten = false;
    for (const table of inOrder(tables, version)) {
      signal.throwIfAborted();
      const published = entries.get(table.name) ?? -1;
      if (published >= version.version) continue;
      // The versions between are not in the lake's log any more, or there is nothing yet.
      const isFirst = published < history.first.version;
      if (isFirst) firstVersion = Math.max(firstVersion, version.version);
      const added = (isFirst ? [...files.values()] : version.added).filter((file) => file.table === table.name);
      requireFiles(await home.provide(added, removedBy), live);
      const step = { table, version, claim, isFirst, isNewSchema: isNewSchema(before, version, table) };
      isWritten = (await writeVersion(tools, step, added)) || isWritten;
      entries.set(table.name, version.version);
    }
    if (isWritten) written += 1;
    before = version;
  }
  await completePublication(home, 'delta', { ...claim, firstVersion, version: newest, commitId });
  return { version: newest, firstVersion, written };
}

async function newestEntries({ store, home, tables }: PublishTools): Promise<NewestEntries> {
  const entries: NewestEntries = new Map();
  for (const { name } of tables) {
    const found = (await store.list(logFolder(home, name))).flatMap((file) => parseDeltaName(file) ?? []);
    const versions = found.flatMap(({ version, isCheckpoint }) => (isCheckpoint ? [] : [version]));
    if (versions.length > 0) entries.set(name, Math.max(...versions));
  }
  return entries;
}

/** One version of one table. */
interface TableStep {
  readonly table: TableSpec;
  readonly version: LakeVersion;
  readonly claim: Publication;
  /** Whether it begins the log of the table, with all of its files. */
  readonly isFirst: boolean;
  readonly isNewSchema: boolean;
}

/** @returns false where another publisher has written it */
async function writeVersion(tools: PublishTools, step: TableStep, added: readonly LoggedFile[]): Promise<boolean> {
  const { store, home, connect } = tools;
  const { table, version, isFirst, isNewSchema: hasNewSchema } = step;
  const log: DeltaLog | null = connect === null ? null : { store, folder: logFolder(home, table.name), connect };
  const removed = isFirst ? [] : version.removed.filter((file) => file.table === table.name);
  const adds: Action[] = [];
  for (const file of added) {
    adds.push(addAction(file, table, await statsOfFile(store, home.pathOf(file), table), version));
  }
  const metaData = metaDataAction(table, columnsAt(version, table), step.claim);
  const head = [PROTOCOL, metaData];
  const actions = [
    commitInfoAction(version, isFirst, removed.length > 0),
    ...(isFirst ? head : hasNewSchema ? [metaData] : []),
    txnAction(version),
    ...removed.map((file) => removeAction(file, table, version)),
    ...adds,
  ];
  // Before the entry: where older entries are before it, readers must begin here.
  const restarts = isFirst && version.version > 0;
  if (restarts && log !== null) await writeCheckpoint(log, version.version, [...head, txnAction(version), ...adds]);
  const text = actions.map((action) => `${JSON.stringify(action)}\n`).join('');
  const isWritten = await store.putIfAbsent(`${logFolder(home, table.name)}/${entryName(version.version)}`, text);
  const isDue = version.version > 0 && version.version % CHECKPOINT_EVERY === 0;
  if (isDue && !restarts && log !== null) {
    const all = await readFilesOf(log, version.version);
    await writeCheckpoint(log, version.version, [...head, txnAction(version), ...all]);
  }
  return isWritten;
}

function isNewSchema(before: LakeVersion | null, version: LakeVersion, { name }: TableSpec): boolean {
  return before !== null && JSON.stringify(before.schema[name]) !== JSON.stringify(version.schema[name]);
}

/** Child rows before their events where files come, after them where they only go. */
function inOrder(tables: readonly TableSpec[], { added }: LakeVersion): TableSpec[] {
  const events = tables.filter(({ name }) => name === EVENTS);
  const others = tables.filter(({ name }) => name !== EVENTS);
  return added.length > 0 ? [...others, ...events] : [...events, ...others];
}

function logFolder(home: PublishTools['home'], table: string): string {
  return `${home.folderOf(table)}/_delta_log`;
}
