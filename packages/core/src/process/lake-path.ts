import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { EdrlakeError } from '../errors/errors.ts';
import type { TableSpec } from '../tables/table-spec.ts';

/** A lake's place in an object store. */
export interface ObjectAddress {
  readonly bucket: string;
  /** Begins the keys of its objects; empty, or without a slash at its ends. */
  readonly prefix: string;
  /** `s3://bucket/prefix` */
  readonly text: string;
}

const ADDRESS = /^[a-z][a-z0-9+.-]+:\/\//i;
const S3_ADDRESS = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])((?:\/[A-Za-z0-9_.=-]+)*)\/*$/;

/**
 * Reads an address in an object store; null for a folder of this machine.
 * @param asked what is kept there, and the flag that says where, for errors
 * @throws {EdrlakeError} `USAGE` for an address of another kind, and for an S3 address that is not one
 */
export function objectAddress(
  given: string,
  { what, flag } = { what: 'a lake', flag: '--lake' },
): ObjectAddress | null {
  if (!ADDRESS.test(given)) return null;
  const [, bucket, path = ''] = S3_ADDRESS.exec(given) ?? [];
  const isWhole = bucket !== undefined && !path.split('/').some((part) => part === '.' || part === '..');
  if (isWhole) return { bucket, prefix: path.slice(1), text: `s3://${bucket}${path}` };
  const other = OTHER_STORES.find(({ schemes }) => schemes.test(given));
  if (other !== undefined) {
    throw new EdrlakeError('USAGE', `${what} cannot be kept at ${given}: ${other.why}`, {
      hint: 'Keep it in a folder or at s3://…, and copy it after each night, for example with rclone sync.',
    });
  }
  refuseCapitals(given, flag);
  throw new EdrlakeError('USAGE', `${what} is in a folder or at s3://bucket/prefix, found the address ${given}`, {
    hint: `Give a folder or an S3 address with ${flag}. A prefix has letters, digits and the signs _ . = - in its parts.`,
  });
}

/** An address that would be one if the scheme and the name of the bucket were in lower case. */
function refuseCapitals(given: string, flag: string): void {
  const start = /^[^/]*\/\/[^/]*/.exec(given)?.[0] ?? '';
  const meant = start.toLowerCase() + given.slice(start.length);
  if (start === start.toLowerCase() || !S3_ADDRESS.test(meant)) return;
  const isBucket = start.startsWith('s3://');
  const expected = isBucket
    ? 'the name of an S3 bucket is in lower case'
    : 'the address begins with s3:// in lower case';
  throw new EdrlakeError('USAGE', `${expected}, found ${given}`, {
    hint: `Was it ${flag} ${meant}? The prefix after the bucket may have capitals.`,
  });
}

/** Object stores that are known and cannot hold a lake. */
const OTHER_STORES: readonly { readonly schemes: RegExp; readonly why: string }[] = [
  {
    schemes: /^(?:gs|gcs):/i,
    why: 'the S3 interface of Google Cloud Storage ignores If-None-Match, so that two writers could both commit',
  },
  { schemes: /^(?:az|azure|abfss?|wasbs?):/i, why: 'Azure Blob Storage has no S3 interface' },
];

/**
 * The folder of one machine for a lake in an object store, unless the user names one: below the user's state folder,
 * because unfinished work in it is worth keeping.
 * @param env `XDG_STATE_HOME`, or on Windows `LOCALAPPDATA`, may name the state folder
 * @param home the user's home folder
 */
export function defaultWorkFolder(
  { text }: ObjectAddress,
  env: Readonly<Record<string, string | undefined>>,
  home: string,
): string {
  const state = env.XDG_STATE_HOME || env.LOCALAPPDATA || join(home, '.local', 'state');
  // Two addresses may look alike once their slashes are gone.
  const name = text.replace(/^s3:\/\//, '').replaceAll('/', '-');
  return join(state, 'edrlake', `${name.slice(0, 60)}-${createHash('sha256').update(text).digest('hex').slice(0, 8)}`);
}

/** The tables of a lake: their columns are the names that no folder above it may have. */
type Tables = readonly Pick<TableSpec, 'columns'>[];

/**
 * Checks that DuckDB can read a lake at this path. In the path of a database, DuckDB takes a question mark for the
 * beginning of parameters, and would write beside the lake.
 * @param place a path, or the address in an object store
 * @throws {EdrlakeError} `USAGE`
 */
export function usableLakePath(place: string, tables: Tables): string {
  refuseColumnFolders(place, tables);
  if (!place.includes('?')) return place;
  throw new EdrlakeError('USAGE', `a lake cannot be in a folder with a question mark in its path: ${place}`, {
    context: { directory: place },
    hint: 'Rename the folder, or choose another one with --lake.',
  });
}

/**
 * The names before the `=` in folders such as `platform=US2`, in lower case. DuckDB, and other readers of Parquet that
 * know folders of partitions, show what follows as the value of the column of that name, in every row below.
 */
export function partitionNames(place: string): ReadonlySet<string> {
  const folders = place.split(/[/\\]/).filter((folder) => folder.includes('='));
  return new Set(folders.map((folder) => folder.slice(0, folder.indexOf('=')).toLowerCase()));
}

function refuseColumnFolders(place: string, tables: Tables): void {
  const names = partitionNames(place);
  const taken = tables.flatMap(({ columns }) => columns).find(({ name }) => names.has(name));
  if (taken === undefined) return;
  throw new EdrlakeError(
    'USAGE',
    `a lake cannot be below a folder ${taken.name}=…, because its tables have a column ${taken.name}: ${place}`,
    {
      context: { place, column: taken.name },
      hint: 'Readers would show the name of the folder in every row. Rename it, or choose another one with --lake.',
    },
  );
}
