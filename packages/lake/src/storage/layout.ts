/**
 * The folders of a lake, relative to it. Everything except committed data is outside the table folders, so that no
 * pattern over `<table>/…/*.parquet` matches it.
 */
export const FOLDERS = {
  log: '_log',
  ids: '_ids',
  runs: '_runs',
  spool: '_spool',
  /** Work of one open lake: DuckDB's spill files and staged data files. */
  work: '_spool/tmp',
  trash: '_trash',
  /** One file for each process at work; see `Lease`. */
  leases: '_leases',
  /** One document for each day that has data files; derived. */
  proof: '_proof',
  /** Which data files may hold a value that is hunted; derived, and only where it was begun. */
  values: '_values',
  /** Lists that are always hunted, and their matches; derived, and only where lists were taken in. */
  hunts: '_hunts',
} as const;

/**
 * The tables as other table formats have them: metadata, and a second name of each data file. Derived, and only where
 * they were published.
 */
export const PUBLISHED = '_tables';

/**
 * Whether a file in a table's own folder is metadata of another table format: in an object store, tables are published
 * there. A checkpoint of Delta is Parquet, and no data file.
 */
export function isTableMetadata(path: string): boolean {
  return ['_delta_log', 'metadata'].includes(path.split('/')[1] ?? '');
}

/** Whether a file in a table's folder holds rows of the table. */
export function isDataFile(path: string): boolean {
  return path.endsWith('.parquet') && !isTableMetadata(path);
}

/**
 * Folders of one machine's unfinished work. A lake on a disk holds them; for a lake in an object store they are in the
 * work folder of each machine.
 */
const OF_THE_MACHINE: ReadonlySet<string> = new Set([FOLDERS.runs, FOLDERS.spool, FOLDERS.trash, FOLDERS.leases]);

/** Whether a path belongs to the machine and not to the lake. */
export function isOfTheMachine(path: string): boolean {
  const [first = ''] = path.split('/', 1);
  return first === '' || OF_THE_MACHINE.has(first) || first.startsWith(VIEW_FILE);
}

/** Objects by which an object store is probed; each is deleted at once. */
export const PROBE_FOLDER = '_probe';

/** The table that holds one row for each event. The rows of the other event tables belong to its rows. */
export const EVENTS = 'events';

/** The table of records that could not become events, partitioned by the day they were fetched. */
export const REJECTS = 'rejects';

/** Marks the directory as a lake, and names its format. */
export const FORMAT_FILE = '_lake.json';

/** The derived DuckDB database with the views. */
export const VIEW_FILE = 'lake.duckdb';

/** The layout and the meaning of log entries, as written. A lake of a higher number is refused. */
export const FORMAT = 2;

/** Format 1 differs in its data files alone, and each of them says its format. */
export const READABLE_FORMATS: readonly number[] = [1, FORMAT];

const VERSION_DIGITS = 20;

/** `00000000000000000007`: begins the names of a version's files in the log, and sorts before them. */
export function versionStem(version: number): string {
  return String(version).padStart(VERSION_DIGITS, '0');
}

/** `_log/00000000000000000007.json` */
export function entryPath(version: number): string {
  return `${FOLDERS.log}/${versionStem(version)}.json`;
}

/** `_log/00000000000000000064.checkpoint.json` */
export function checkpointPath(version: number): string {
  return `${FOLDERS.log}/${versionStem(version)}.checkpoint.json`;
}

/** The version and kind of a file in the log folder by its name, or null for any other file. */
export function parseLogName(name: string): { readonly version: number; readonly isCheckpoint: boolean } | null {
  const match = /^(\d{20})(\.checkpoint)?\.json$/.exec(name);
  return match === null ? null : { version: Number(match[1]), isCheckpoint: match[2] !== undefined };
}

/**
 * `<commit>-v7`: the stem of an index file. Each attempt of a commit merges other files, so each needs its own name.
 */
export function indexName(commitId: string, version: number): string {
  return `${commitId}-v${version}`;
}

/** The version that an index file was made for, or null where its name does not contain one. */
export function indexVersion(path: string): number | null {
  const match = /-v(\d+)\.parquet$/.exec(path);
  return match === null ? null : Number(match[1]);
}

/** `_spool/publish-<commit>.json`: the files that a commit is about to put into the table folders. */
export function manifestPath(commitId: string): string {
  return `${FOLDERS.spool}/publish-${commitId}.json`;
}

/** Whether a name in the spool folder is the manifest of a commit. */
export function isManifestName(name: string): boolean {
  return /^publish-.+\.json$/.test(name);
}

/** The path of a removed file until vacuum: below the version that removed it, or the commit that was undone. */
export function trashPath(cause: number | string, path: string): string {
  return `${FOLDERS.trash}/${trashFolder(cause)}/${path}`;
}

/** The folder in the trash for the files that a version removed, or that a commit had staged before it was undone. */
export function trashFolder(cause: number | string): string {
  return typeof cause === 'number' ? String(cause).padStart(VERSION_DIGITS, '0') : `orphans-${cause}`;
}

/** Where an open lake's commit stages its files, and its log entry. */
export function stagePath(workFolder: string, commitId: string): string {
  return `${workFolder}/${commitId}`;
}

/** `_leases/<instance>.<beat>.json`: renewing a lease gives the file its next name. */
export function leasePath(instance: string, beat: number): string {
  return `${FOLDERS.leases}/${instance}.${beat}.json`;
}

/** The lease that a file name in the lease folder belongs to, or null for any other file. */
export function parseLeaseName(name: string): { readonly instance: string; readonly beat: number } | null {
  const match = /^([0-9a-f-]{36})\.(\d{1,15})\.json$/.exec(name);
  return match?.[1] === undefined ? null : { instance: match[1], beat: Number(match[2]) };
}

/** `_proof/2020-08-17.json` */
export function proofPath(day: string): string {
  return `${FOLDERS.proof}/${day}.json`;
}

/** `<commit>` of a file that a batch wrote, `<commit>-0.parquet`; null for one that was made from other files. */
export function firstWrittenStem(path: string): string | null {
  return /\/([^/]+)-\d+\.parquet$/.exec(path)?.[1] ?? null;
}

/** Whether a file's name is one that a commit gives to data or index files. */
export function isWrittenName(name: string): boolean {
  return /^\d{8}T\d{6}Z-[0-9a-f]{8}-([crdv]?\d+|rebuilt)\.parquet$/.test(name);
}
