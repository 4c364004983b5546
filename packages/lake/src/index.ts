export type { CommitRequest, CommitResult } from './commit.ts';
export type { CoverageVerdict, DayCoverage } from './coverage.ts';
export type { CommitSummary, IdentityFile, LoggedFile } from './lake-state.ts';
export { type Lake, type LakeOptions, openLake } from './open-lake.ts';
export { currentOwner, isOwnerAlive, type OwnerState, ownerState, type ProcessOwner } from './owner.ts';
export type { QueryOptions, QueryResult } from './query.ts';
export type { QueryColumn, QueryValue } from './query-values.ts';
export type { Snapshot } from './snapshot.ts';
export type { CommitStep } from './workbench.ts';
