import { isoInstant } from '@edrlake/core';
import { unknownEvents } from '../commit/id-index.ts';
import { readFooters } from '../log/footers.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { countSuspects } from '../maintenance/find-suspects.ts';
import { unfinishedCommits } from '../recovery/recover.ts';
import { damagedFiles, resizedFiles } from '../storage/checksum.ts';
import { isFileError } from '../storage/file-errors.ts';
import { FOLDERS, isDataFile, isWrittenName } from '../storage/layout.ts';
import type { Examination, LakeDamage } from './lake-damage.ts';

/**
 * Data and index files of the newest version that are lost or damaged, files of no version, and rows that are stored
 * twice.
 */
export async function examineFiles(examination: Examination, state: LakeState): Promise<LakeDamage[]> {
  const found: LakeDamage[] = [...(await examineUnnamed(examination, state))];
  const { store } = examination;
  const lost = await lostFiles(examination, [...state.files.values()]);
  if (lost.length > 0) {
    found.push({
      part: 'data',
      found: about(lost, 'is missing, cannot be read, or does not have the bytes that were committed'),
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
      found: about(damaged, 'is missing or damaged'),
      means: 'edrlake does not use it. The next commit rebuilds the index from the data files.',
      command: 'edrlake deduplicate',
      paths: damaged.map(({ path }) => path),
    });
  }
  // Rows that cannot be read would be reported as unknown or missing below.
  if (lost.length > 0 || examination.reads === 'sample') return found;
  // First, because it notes the hashes that the index is compared with.
  const copies = await countSuspects(examination, state);
  if (damaged.length === 0) found.push(...(await examineIndex(examination, state)));
  if (copies > 0) {
    found.push({
      part: 'duplicates',
      found: `${copies} events are stored more than once, or their child rows are, or these have no event`,
      means:
        'Counts and joins are wrong. One copy of each is kept: the newest, or of equal ones the one committed last.',
      command: 'edrlake deduplicate',
      paths: [],
    });
  }
  return found;
}

/** Data files of a sample: half of them the newest, the others spread evenly over all. */
const SAMPLE_FILES = 100;

/** The lost files among those given, in the same order; reads all files or a sample. */
async function lostFiles(examination: Examination, files: readonly LoggedFile[]): Promise<readonly LoggedFile[]> {
  // Copies of this machine say nothing about the object store.
  if (examination.reads === 'all') await examination.store.remote?.bringAgain(files);
  if (examination.reads === 'all') return (await readFooters(examination, files, () => true)).lost;
  const step = Math.max(1, Math.ceil((2 * files.length) / SAMPLE_FILES));
  const sample = files.filter((_, place) => place >= files.length - SAMPLE_FILES / 2 || place % step === 0);
  const broken = (await readFooters(examination, sample, () => true)).lost;
  const lost = new Set([...(await resizedFiles(examination.store, files)), ...broken]);
  return files.filter((file) => lost.has(file));
}

/** Compares the index with `ID_HASHES`: lakes of an older edrlake have no checksums of index files. */
async function examineIndex(examination: Examination, state: LakeState): Promise<LakeDamage[]> {
  const files = [...state.identityFiles.values()].map((file) => ({
    file,
    location: examination.store.locate(file.path),
  }));
  let found: string | null = null;
  try {
    const unknown = await unknownEvents(examination, { files });
    if (unknown > 0) found = `the id index does not name ${unknown} of the stored events`;
  } catch (thrown) {
    if (!isFileError(thrown)) throw thrown;
    found = 'a file of the id index cannot be read';
  }
  if (found === null) return [];
  const means =
    'They would be stored twice when they are delivered again. The command rebuilds the index from the data files.';
  return [{ part: 'index', found, means, command: 'edrlake deduplicate', paths: files.map(({ file }) => file.path) }];
}

/** Parquet files in the folders of tables and of the index that neither the log nor a commit in progress names. */
async function examineUnnamed({ store, tables }: Examination, state: LakeState): Promise<LakeDamage[]> {
  // In an object store they are what replaced files and lost races leave until a vacuum.
  if (store.remote !== null) return [];
  const folders = [...tables.map(({ name }) => name), FOLDERS.ids];
  const seen = (await Promise.all(folders.map((folder) => store.walk(folder)))).flat();
  const announced = new Set((await unfinishedCommits(store)).flatMap(({ files }) => files));
  const unnamed = seen.filter(
    (path) => isDataFile(path) && !state.files.has(path) && !state.identityFiles.has(path) && !announced.has(path),
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
        'The end of the log was lost, or an older _log was restored: rows are missing, and patterns over the folders return some twice. Restore the newest _log, or rebuild it from the data files.',
      command: 'edrlake rebuild-log --force',
      paths: newer,
    });
  }
  if (older.length > 0) {
    found.push({
      part: 'data',
      found: about(asFiles(older), 'is in no version of the lake'),
      means:
        'Patterns over the table folders return rows that are not in the lake. The command moves the files to _trash.',
      command: 'edrlake vacuum --grace 0s',
      paths: older,
    });
  }
  return found;
}

/** `20261128T102820Z` of a file that edrlake wrote; an empty text for any other. */
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
