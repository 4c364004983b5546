import type { DataFile, Day, OtherVersion, WindowProof } from '@edrlake/core';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import type { Arrivals } from '../proofs/lost-days.ts';
import type { FileSchema } from './build-log-entry.ts';
import type { WriteClaims, WriteEntries } from './id-index.ts';
import type { CommitNames } from './optimistic-retry.ts';

/** How a batch compares with a version of the lake. */
export interface Classification {
  readonly newEvents: number;
  readonly changedEvents: number;
  readonly unchangedEvents: number;
  readonly newRejects: number;
  /** Of the days that have lost rows: the events that are new there, and that the index never named for the day. */
  readonly arrivals: readonly Arrivals[];
  /** Equal for two comparisons of one batch that write the same rows. */
  readonly fingerprint: string;
}

/** Copies of files without the rows of the events that are gone, and the files that they replace. */
export interface Rewrite {
  /** Their paths are final; until the commit the files are at `<stage>/<path>`. */
  readonly added: readonly LoggedFile[];
  readonly removed: readonly string[];
}

/** A delivered version that is dropped, or a stored one that is replaced, where the event times differ. */
export interface MetVersion {
  readonly version: OtherVersion;
  /** A delivered version that is not stored; else a stored one that is replaced. */
  readonly isListed: boolean;
}

/**
 * What a commit computes of its batch, the lake's rows and the id index, and the files that it writes. The commit
 * itself is one for all engines. The calls of one attempt come in the order of this interface; each attempt compares
 * anew.
 */
export interface CommitEngine {
  /**
   * Finds the index entries of the batch's events and rejects.
   * @param index files of the id index, absolute paths
   * @returns the days that these entries name
   */
  findKnown(index: readonly string[]): Promise<ReadonlySet<Day>>;
  /**
   * Compares the batch with a version of the lake. A staged event is then `new`, `changed` (the delivered rows replace
   * the stored ones), `unchanged`, or `dropped` because a better version is stored (`BEST_VERSION_FIRST`). The stored
   * rows of changed events are gone. Only files of the days that the index names are read, and none when no id is
   * known.
   */
  classify(state: LakeState): Promise<Classification>;
  /**
   * Takes stored events of a proven window that were not delivered for gone as well. Only windows that ask for
   * everything on the event axis prove that an event is absent; other windows, and mismatches, delete nothing.
   * @returns their number
   */
  markUndelivered(state: LakeState, proofs: readonly WindowProof[]): Promise<number>;
  /** The versions that the comparison met under another event time; at most `MAX_OTHER_VERSIONS`. */
  metVersions(): Promise<readonly MetVersion[]>;
  /**
   * Different ids of customers among the events of the batch, not more than two; events that say none do not count.
   * @param column of `events`
   */
  customers(column: string): Promise<readonly string[]>;
  /** The same of the stored events; not more than two. */
  storedCustomers(state: LakeState, column: string): Promise<readonly string[]>;
  /** Ids of the events that are new. */
  newIds(): Promise<readonly string[]>;
  /**
   * Writes the new and changed rows, and the new rejects: a file for each table and partition that has some.
   * @param directory absolute; paths of the files are relative to it
   */
  writeRows(directory: string, fileStem: string, fieldIds: FileSchema['fieldIds']): Promise<readonly DataFile[]>;
  /**
   * Copies every file, in all tables, that holds rows of events that are gone, without those rows; a file that would be
   * empty is only removed. Nothing in the table folders is touched.
   */
  rewriteWithoutGone(state: LakeState, names: CommitNames, fileSchema: FileSchema): Promise<Rewrite>;
  /**
   * Writes the index entries of the commit: the rows that it writes, the events that it found equal although their
   * content hash differs, and the events that are gone. The content of the latter is unknown from then on, so that they
   * are written if the API delivers them again.
   */
  ownEntries(version: number): WriteEntries;
  readonly writeClaims: WriteClaims;
  /** Rows by path, as the footers say; files that cannot be read are left out. */
  countRows(files: readonly LoggedFile[]): Promise<ReadonlyMap<string, number>>;
  /**
   * Takes for gone what is incomplete without lost files: stored events that may have lost child rows, and the lost
   * events of child rows that remain.
   * @param present the state without the lost files
   * @returns how many of these events are stored
   */
  markIncomplete(present: LakeState, lost: readonly LoggedFile[]): Promise<number>;
  /**
   * Writes index entries that withdraw what the index says of the days with lost files, where the lake no longer holds
   * it. Where rejects are lost, all rejects are compared, because equal records are numbered through the whole lake.
   */
  voidedEntries(
    present: LakeState,
    lost: readonly LoggedFile[],
    index: readonly string[],
    version: number,
  ): WriteEntries;
  /** Ends the comparison. */
  release(): Promise<void>;
}
