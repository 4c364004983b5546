import { type Clock, type Dataset, EdrlakeError, MS_PER_DAY } from '@edrlake/core';
import { openCommitLog } from '../log/commit-log.ts';
import type { LakeState } from '../log/lake-state.ts';
import { checkFormat, listLog, readCheckpoint, readEntry } from '../log/log-files.ts';
import { markerText, refuseOtherDataset } from '../log/prepare-directory.ts';
import { refuseLostLog } from '../recovery/refuse-lost-log.ts';
import { checkpointPath, entryPath, FOLDERS, FORMAT_FILE, parseLogName } from '../storage/layout.ts';
import { PARTIAL_SUFFIX, type Store } from '../storage/store.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

/** How far ahead of this machine's clock a commit may be before one of the two clocks is reported as wrong. */
const MAX_AHEAD_MS = MS_PER_DAY / 24;

const REBUILD = 'edrlake rebuild-log';
const REBUILD_MEANS =
  'Readers and writers refuse the lake. Restore the folder _log from a backup, or rebuild it from the data files: every row stays, and has to be proven again.';

/** Checks the file that marks the folder as a lake. @throws {EdrlakeError} `LAKE_MISSING` where there is no lake */
export async function examineMarker(
  store: Store,
  { directory, dataset }: { readonly directory: string; readonly dataset: Dataset; readonly clock: Clock },
): Promise<LakeDamage[]> {
  const text = await store.read(FORMAT_FILE);
  if (text === null && !(await store.list('')).some((name) => name === FOLDERS.log || name === FOLDERS.ids)) {
    throw new EdrlakeError('LAKE_MISSING', `there is no lake at ${directory}`, {
      context: { directory },
      hint: 'Check --lake, or make one with edrlake backfill.',
    });
  }
  try {
    if (text === null) throw new EdrlakeError('LAKE_CORRUPT', `${FORMAT_FILE} is missing`);
    const marker = JSON.parse(text) as { format?: unknown; dataset?: unknown } | null;
    checkFormat(FORMAT_FILE, marker?.format);
    refuseOtherDataset(marker?.dataset, dataset, directory);
    return [];
  } catch (thrown) {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_OTHER_DATASET') throw thrown;
    const isNewer = thrown instanceof EdrlakeError && thrown.code === 'LAKE_INCOMPATIBLE';
    return [
      {
        part: 'marker',
        found: thrown instanceof EdrlakeError ? thrown.message : `${FORMAT_FILE} is not JSON`,
        means: isNewer
          ? 'A newer edrlake has written this lake: update edrlake on this machine.'
          : 'Commands refuse the folder, because nothing marks it as a lake.',
        command: isNewer ? null : `echo '${markerText(dataset, null)}' > ${FORMAT_FILE}`,
        paths: [FORMAT_FILE],
      },
    ];
  }
}

/** The damage to the log, and the state that it leads to; null where it cannot be read to its end. */
export async function examineLog({
  store,
  tables,
  nowMs,
}: Examination): Promise<{ readonly damages: readonly LakeDamage[]; readonly state: LakeState | null }> {
  const damages: LakeDamage[] = [];
  const add = (thrown: unknown, paths: readonly string[]) => {
    if (!(thrown instanceof EdrlakeError)) throw thrown;
    const isNewer = thrown.code === 'LAKE_INCOMPATIBLE';
    if (damages.some(({ found }) => found === thrown.message)) return;
    damages.push({
      ...{ part: 'log', found: thrown.message, paths },
      means: isNewer ? (thrown.hint ?? '') : REBUILD_MEANS,
      command: isNewer ? null : REBUILD,
    });
  };
  const { entries, checkpoints } = await listLog(store);
  for (const version of checkpoints) {
    await readCheckpoint(store, version).catch((thrown) => add(thrown, [checkpointPath(version)]));
  }
  for (const version of entries) {
    await readEntry(store, version).catch((thrown) => add(thrown, [entryPath(version)]));
  }
  let state: LakeState | null = null;
  try {
    const log = await openCommitLog(store, 'reader');
    await refuseLostLog(store, log, tables);
    state = await log.refresh();
    const last = state.commits.at(-1);
    if (last !== undefined && last.committedAtMs > nowMs + MAX_AHEAD_MS) {
      damages.push({
        ...{
          part: 'clock',
          found: `version ${last.version} was committed at ${new Date(last.committedAtMs).toISOString()}`,
        },
        means: 'That is ahead of the clock of this machine: one of the clocks is, or was, wrong. Synchronise it.',
        ...{ command: null, paths: [entryPath(last.version)] },
      });
    }
    const ahead = [...state.proofs.values()].filter(({ proof }) => proof.verifiedAtMs > nowMs + MAX_AHEAD_MS);
    const [first] = ahead;
    if (first !== undefined) {
      damages.push({
        ...{
          part: 'clock',
          found: `${ahead.length} proofs are dated in the future, such as one of version ${first.version}`,
        },
        means:
          'Events that they claim to prove may not have happened yet. Fetch those days again: edrlake backfill --force',
        ...{ command: null, paths: [] },
      });
    }
  } catch (thrown) {
    add(thrown, []);
  }
  const strays = (await store.list(FOLDERS.log)).filter(
    (name) => parseLogName(name) === null && !name.endsWith(PARTIAL_SUFFIX),
  );
  if (strays.length > 0) {
    damages.push({
      ...{ part: 'log', found: `${FOLDERS.log}/${strays[0]} is not a file of the log`, command: null },
      means:
        'edrlake ignores it. It was put there by another program, or is a renamed entry: move it out of the folder.',
      paths: strays.map((name) => `${FOLDERS.log}/${name}`),
    });
  }
  return { damages, state };
}
