import { isoInstant, type TableSpec, type WindowProof } from '@edrlake/core';
import type { FieldIds } from '@edrlake/writers';
import type { CommitTools } from '../log/commit-context.ts';
import {
  type CommitCounts,
  type LakeState,
  type LogEntry,
  type LoggedFile,
  type LoggedOwner,
  type Schema,
  sameSchema,
  schemaOf,
} from '../log/lake-state.ts';
import type { Arrivals, LostDay } from '../proofs/lost-days.ts';
import type { VersionsOfEvent } from '../proofs/other-versions.ts';
import type { Recount } from '../proofs/recounts.ts';
import { FORMAT } from '../storage/layout.ts';
import type { Move } from '../storage/store.ts';
import type { IndexChange } from './id-index.ts';
import type { CommitNames } from './optimistic-retry.ts';

/** What one commit changes in the lake. */
export interface LakeChange {
  readonly runId: string;
  readonly counts: CommitCounts;
  /** Staged at `<stage>/<path>`. */
  readonly added: readonly LoggedFile[];
  /** Paths. */
  readonly removed: readonly string[];
  readonly ids: IndexChange;
  readonly proofs: readonly WindowProof[];
  readonly losses: readonly LostDay[];
  readonly arrivals?: readonly Arrivals[];
  readonly otherVersions?: readonly VersionsOfEvent[];
  readonly recounts?: readonly Recount[];
  readonly owner?: LoggedOwner | null;
}

/** Counts of a commit that only moves rows between files. */
export const NO_COUNTS: CommitCounts = { newEvents: 0, changedEvents: 0, unchangedEvents: 0, deletedEvents: 0 };

/** Index change of a commit that adds no id and removes none. */
export const NO_INDEX_CHANGE: IndexChange = { added: [], removed: [] };

/** The schema of the files that a commit writes. */
export interface FileSchema {
  readonly schemaVersion: number;
  readonly schema: Schema;
  /** By table name. */
  readonly fieldIds: Readonly<Record<string, FieldIds>>;
}

/** The schema of files that a commit on top of `state` writes. */
export function schemaOnTop(state: LakeState, tables: readonly TableSpec[]): FileSchema {
  const before = state.schemas.get(state.schemaVersion);
  const schema = schemaOf(tables, before, state.schemas.values());
  const fieldIds = Object.fromEntries(
    Object.entries(schema).map(([table, columns]) => [
      table,
      Object.fromEntries(columns.map(({ name, id = 0 }) => [name, id])),
    ]),
  );
  return { schemaVersion: state.schemaVersion + (sameSchema(before, schema) ? 0 : 1), schema, fieldIds };
}

/** The log entry of a change on top of a version, and the moves of its staged files. */
export function buildLogEntry(
  context: CommitTools,
  state: LakeState,
  { commitId, stage }: CommitNames,
  change: LakeChange,
): { readonly entry: LogEntry; readonly moves: readonly Move[] } {
  const { runId, counts, added, removed, ids, proofs, losses } = change;
  const { arrivals = [], otherVersions = [], recounts = [], owner = null } = change;
  const { schemaVersion, schema } = schemaOnTop(state, context.tables);
  return {
    moves: [
      ...added.map(({ path }) => ({ from: `${stage}/${path}`, to: path })),
      ...ids.added.map((id) => ({ from: id.staged, to: id.file.path })),
    ],
    entry: {
      format: FORMAT,
      version: state.version + 1,
      commitId,
      ...(state.commitId === null ? {} : { previousCommitId: state.commitId }),
      runId,
      committedAt: isoInstant(context.clock.nowMs()),
      ...counts,
      schemaVersion,
      ...(schemaVersion === state.schemaVersion ? {} : { schema }),
      added,
      removed,
      idsAdded: ids.added.map(({ file }) => file),
      idsRemoved: ids.removed,
      proofs,
      ...(losses.length === 0 ? {} : { losses }),
      ...(arrivals.length === 0 ? {} : { arrivals }),
      ...(otherVersions.length === 0 ? {} : { otherVersions }),
      ...(recounts.length === 0 ? {} : { recounts }),
      ...(owner === null ? {} : { owner }),
    },
  };
}
