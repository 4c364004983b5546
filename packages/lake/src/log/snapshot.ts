import type { DataFile, WindowProof } from '@edrlake/core';
import type { LoggedLostDay } from '../proofs/lost-days.ts';
import type { LoggedOtherVersion } from '../proofs/other-versions.ts';
import type { LoggedRecount } from '../proofs/recounts.ts';
import type { CommitSummary, IdentityFile, LakeState, LoggedFile } from './lake-state.ts';
import type { LogPoint } from './log-point.ts';

/** One version of the lake: what a reader that starts now sees, in all tables at once. */
export interface Snapshot extends LogPoint {
  /** Number of commits; 0 for a lake without any. */
  readonly version: number;
  /** null for a lake without a commit. */
  readonly committedAtMs: number | null;
  /** The schema version of new files; 0 before the first commit. */
  readonly schemaVersion: number;
  /** The data files of each table in commit order; a table without files has an empty list. */
  readonly files: Readonly<Record<string, readonly LoggedFile[]>>;
  /** The newest proof of every window, mismatches included, in the order they were committed. */
  readonly proofs: readonly WindowProof[];
  /** The version that brought each of them, by window id. */
  readonly proofVersions: ReadonlyMap<string, number>;
  /** The files of the id index. */
  readonly idFiles: readonly IdentityFile[];
  /** Oldest first. */
  readonly commits: readonly CommitSummary[];
  /** Days that lost rows with their files and have not recovered them, each with the version of its newest loss. */
  readonly losses: readonly LoggedLostDay[];
  /** Versions of events that are counted by proofs and not stored. */
  readonly otherVersions: readonly LoggedOtherVersion[];
  /** The newest recount of each day that had one. */
  readonly recounts: readonly LoggedRecount[];
}

/** A frozen view of the state as it is now; later commits do not change it. */
export function snapshotOf(state: LakeState, tableNames: readonly string[]): Snapshot {
  const files: Record<string, LoggedFile[]> = Object.fromEntries(tableNames.map((name) => [name, []]));
  for (const file of state.files.values()) {
    const ofTable = files[file.table] ?? [];
    ofTable.push(file);
    files[file.table] = ofTable;
  }
  return {
    version: state.version,
    commitId: state.commitId,
    committedAtMs: state.commits.at(-1)?.committedAtMs ?? null,
    schemaVersion: state.schemaVersion,
    files,
    proofs: [...state.proofs.values()].map(({ proof }) => proof),
    proofVersions: new Map([...state.proofs].map(([id, { version }]) => [id, version])),
    idFiles: [...state.identityFiles.values()],
    commits: [...state.commits],
    losses: [...state.losses.values()],
    otherVersions: [...state.otherVersions.values()].flat(),
    recounts: [...state.recounts.values()],
  };
}

/** The newest proofs of windows that one run has committed, in the order they were committed. */
export function proofsOfRun(state: LakeState, runId: string): WindowProof[] {
  const versions = new Set(state.commits.filter((commit) => commit.runId === runId).map(({ version }) => version));
  return [...state.proofs.values()].filter(({ version }) => versions.has(version)).map(({ proof }) => proof);
}

/** A table's files whose folder is one of the partitions. */
export function filesInPartitions(
  files: readonly LoggedFile[] | undefined,
  partitions: ReadonlySet<string>,
): LoggedFile[] {
  return (files ?? []).filter(({ partition }) => partitions.has(partition));
}

/** Rows of some files by day, `2020-08-17` for the partition `event_date=2020-08-17`. */
export function rowsByDay(files: readonly DataFile[]): Map<string, number> {
  const rows = new Map<string, number>();
  for (const { partition, rowCount } of files) {
    const day = partition.slice(partition.indexOf('=') + 1);
    rows.set(day, (rows.get(day) ?? 0) + rowCount);
  }
  return rows;
}
