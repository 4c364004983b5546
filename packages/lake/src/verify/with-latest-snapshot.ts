import type { CommitContext, CommitTools } from '../log/commit-context.ts';
import { readFooters } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { isSamePoint } from '../log/log-point.ts';
import { type Snapshot, snapshotOf } from '../log/snapshot.ts';
import { explainFileError, isFileError } from '../storage/file-errors.ts';

/** The result of reading the newest version. */
export interface Reading<T> {
  readonly value: T;
  /** Files of that version that could not be read. */
  readonly lost: readonly LoggedFile[];
}

/** Each further attempt means that a writer committed while the files were read. */
const MAX_ATTEMPTS = 5;

/**
 * Reads data files of the newest version. A writer may replace files in the meantime, so that some seem lost; then
 * everything is read again, so that only files of the newest version are reported as lost.
 * @throws {EdrlakeError} what `read` throws, file errors as `LAKE_CORRUPT`
 */
export async function withLatestSnapshot<T>(
  context: Pick<CommitTools, 'log' | 'tables'>,
  read: (snapshot: Snapshot, state: LakeState) => Promise<Reading<T>>,
): Promise<T> {
  const tables = context.tables.map(({ name }) => name);
  for (let attempt = 1; ; attempt += 1) {
    const state = await context.log.refresh();
    const snapshot = snapshotOf(state, tables);
    try {
      const { value, lost } = await read(snapshot, state);
      if (lost.length === 0 || attempt === MAX_ATTEMPTS) return value;
      const { files } = await context.log.refresh();
      if (lost.every(({ path }) => files.has(path))) return value;
    } catch (thrown) {
      const isOvertaken = !isSamePoint(snapshot, await context.log.refresh());
      if (!isOvertaken || attempt === MAX_ATTEMPTS) throw explainFileError(thrown);
    }
  }
}

/**
 * The same, for reading only the files that exist: of the chosen files the intact ones are read. Footers are checked
 * only when DuckDB fails.
 */
export function readPresent<T>(
  context: CommitContext,
  choose: (snapshot: Snapshot) => readonly LoggedFile[],
  read: (files: readonly LoggedFile[], state: LakeState) => Promise<T>,
): Promise<T> {
  return withLatestSnapshot(context, async (snapshot, state) => {
    const chosen = choose(snapshot);
    const absent = await context.store.absent(chosen.map(({ path }) => path));
    const present = chosen.filter(({ path }) => !absent.has(path));
    try {
      return { value: await read(present, state), lost: chosen.filter(({ path }) => absent.has(path)) };
    } catch (thrown) {
      if (!isFileError(thrown)) throw thrown;
      const { lost, rowCounts } = await readFooters(context, chosen, () => false);
      const whole = present.filter(({ path }) => rowCounts.has(path));
      if (whole.length === present.length) throw thrown;
      return { value: await read(whole, state), lost };
    }
  });
}
