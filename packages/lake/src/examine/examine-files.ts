import { isoInstant } from '@edrlake/core';
import { unknownEvents } from '../commit/id-index.ts';
import { readFooters } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { countSuspects } from '../maintenance/deduplicate.ts';
import { unfinishedCommits } from '../recovery/recover.ts';
import { damagedFiles, resizedFiles } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';
import { FOLDERS, isWrittenName } from '../storage/layout.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

/** Data and index files: those of the newest version that are not whole, those of no version, and what is stored twice. */
export async function examineFiles(examination: Examination, state: LakeState): Promise<LakeDamage[]> {
  const found: LakeDamage[] = [...(await examineUnnamed(examination, state))];
  const { store } = examination;
  const lost = await lostFiles(examination, [...state.files.values()]);
  if (lost.length > 0) {
    found.push({
      part: 'data',
      found: about(lost, 'is gone, cannot be read, or does not hold the bytes that were committed'),
      means: 'Rows are missing or wrong. Restore the files from a backup, or have their days fetched again.',
      command: 'edrlake reconcile --repair',
      paths: lost.map(({ path }) => path),
    });
  }
  const index = [...state.identityFiles.values()];
  const damaged = await damagedFiles(store, index);
  if (damaged.length > 0) {
    found.push({
      part: 'index',
      found: about(damaged, 'is gone or damaged'),
      means: 'edrlake does not believe it. The next commit makes the index anew from the data files.',
      command: 'edrlake deduplicate',
      paths: damaged.map(({ path }) => path),
    });
  }
  // What cannot be read would be called unknown or missing below.
  if (lost.length > 0 || examination.reads === 'sample') return found;
  if (damaged.length === 0) found.push(...(await examineIndex(examination, state)));
  const copies = await countSuspects(examination, state);
  if (copies > 0) {
    found.push({
      part: 'duplicates',
      found: `${copies} events are stored more than once, or their child rows are, or these have no event`,
      means: 'Counts and joins are wrong. One copy of each stays: the newest, of equals the one committed last.',
      command: 'edrlake deduplicate',
      paths: [],
    });
  }
  return found;
}

/** Data files of a sample: half of them the newest, the others evenly from all. */
const SAMPLE_FILES = 100;

/** Those that are not as they were committed, as far as was asked for, in the order given: oldest first. */
async function lostFiles(examination: Examination, files: readonly LoggedFile[]): Promise<readonly LoggedFile[]> {
  if (examination.reads === 'all') return (await readFooters(examination, files, () => true)).lost;
  const step = Math.max(1, Math.ceil((2 * files.length) / SAMPLE_FILES));
  const sample = files.filter((_, place) => place >= files.length - SAMPLE_FILES / 2 || place % step === 0);
  const broken = (await readFooters(examination, sample, () => true)).lost;
  const lost = new Set([...(await resizedFiles(examination.store, files)), ...broken]);
  return files.filter((file) => lost.has(file));
}

/** Without checksums, in lakes of an older edrlake, only the content tells. */
async function examineIndex(examination: Examination, state: LakeState): Promise<LakeDamage[]> {
  const files = [...state.identityFiles.values()].map((file) => ({
    file,
    location: examination.store.locate(file.path),
  }));
  let found: string | null = null;
  try {
    const unknown = await unknownEvents(examination, state, { files });
    if (unknown > 0) found = `the identity index does not know ${unknown} of the stored events`;
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    found = 'a file of the identity index cannot be read';
  }
  if (found === null) return [];
  const means = 'They would be stored twice when they are delivered again. The index is made anew from the data files.';
  return [{ part: 'index', found, means, command: 'edrlake deduplicate', paths: files.map(({ file }) => file.path) }];
}

/** Parquet files in the folders of tables and of the index that neither the log nor a commit under way names. */
async function examineUnnamed({ store, tables }: Examination, state: LakeState): Promise<LakeDamage[]> {
  const folders = [...tables.map(({ name }) => name), FOLDERS.ids];
  const seen = (await Promise.all(folders.map((folder) => store.walk(folder)))).flat();
  const announced = new Set((await unfinishedCommits(store)).flatMap(({ files }) => files));
  const unnamed = seen.filter(
    (path) =>
      path.endsWith('.parquet') && !state.files.has(path) && !state.identityFiles.has(path) && !announced.has(path),
  );
  const newestMs = state.commits.at(-1)?.committedAtMs ?? 0;
  const newer = unnamed.filter((path) => stampOf(path) > stampAt(newestMs));
  const older = unnamed.filter((path) => !newer.includes(path));
  const found: LakeDamage[] = [];
  const asFiles = (paths: readonly string[]) => paths.map((path) => ({ path }));
  if (newer.length > 0) {
    found.push({
      part: 'log',
      found: about(asFiles(newer), 'is newer than the newest version, and no version names it'),
      means:
        'The end of the log was lost, or an older _log was restored: rows are missing, and patterns over the folders see some twice. Restore the newest _log, or have it made anew from the data files.',
      command: 'edrlake rebuild-log --force',
      paths: newer,
    });
  }
  if (older.length > 0) {
    found.push({
      part: 'data',
      found: about(asFiles(older), 'is in no version of the lake'),
      means: 'Patterns over the table folders see rows that the lake does not hold. They are moved to _trash.',
      command: 'edrlake vacuum --grace 0s',
      paths: older,
    });
  }
  return found;
}

/** `20261128T102820Z` of a file that edrlake wrote, else an empty text. */
function stampOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  return isWrittenName(name) ? name.slice(0, 16) : '';
}

function stampAt(epochMs: number): string {
  return isoInstant(epochMs).replace(/[-:]|\.\d+/g, '');
}

function about(files: readonly { readonly path: string }[], what: string): string {
  const [first] = files;
  return files.length === 1 ? `${first?.path} ${what}` : `${files.length} files, such as ${first?.path}: each ${what}`;
}
