import type { DuckDBConnection } from '@duckdb/node-api';
import { EdrlakeError, quoteText, rowsOf } from '@edrlake/core';
import { messageOf, replacedFile, unreadableData } from '../storage/file-errors.ts';
import type { DirectAccess, QueryReads, RemoteFiles, SummedFile } from '../storage/store.ts';

/** How one statement reads the files of one lake in an object store. */
export interface ReadingPlan {
  readonly reads: QueryReads;
  /** Paths of the files that DuckDB reads at their addresses; all others have copies. */
  readonly direct: ReadonlySet<string>;
}

/** Why a statement has to be done with copies although the user left the choice. */
export interface CopiesOnly {
  readonly why: string;
}

/**
 * Decides how files are read, and makes it possible: brings copies, or loads DuckDB's extension and gives it the
 * credentials for the folder of the lake. A copy that is here is preferred, because it was compared with its checksum.
 * @param place of the lake among those of the statement
 * @throws {EdrlakeError} `USAGE` where `httpfs` is demanded and cannot be used; as `RemoteFiles.bring`
 */
export async function planReading(
  connection: DuckDBConnection,
  remote: RemoteFiles,
  files: readonly SummedFile[],
  { place, copiesOnly }: { readonly place: number; readonly copiesOnly: CopiesOnly | null },
): Promise<ReadingPlan> {
  const { way } = remote.reads;
  const withCopies = async (why: string): Promise<ReadingPlan> => {
    await remote.bring(files);
    return { reads: { by: 'copies', files: files.length, copies: files.length, why }, direct: new Set() };
  };
  if (way === 'copies') return withCopies('they were asked for');
  if (copiesOnly !== null) return withCopies(copiesOnly.why);
  const present = await remote.present(files);
  if (way === 'auto' && files.every(({ path }) => present.has(path))) return withCopies('all of them are here');
  const refusal = await prepareHttpfs(connection, remote, place);
  if (refusal !== null && way === 'auto') return withCopies(refusal.why);
  if (refusal !== null) {
    throw new EdrlakeError('USAGE', `the lake cannot be read with httpfs: ${refusal.why}`, { hint: refusal.hint });
  }
  const direct = new Set(files.flatMap(({ path }) => (present.has(path) ? [] : [path])));
  return { reads: { by: 'httpfs', files: files.length, copies: files.length - direct.size, why: null }, direct };
}

/** null: DuckDB can read the addresses of the lake now. */
async function prepareHttpfs(
  connection: DuckDBConnection,
  remote: RemoteFiles,
  place: number,
): Promise<{ readonly why: string; readonly hint: string } | null> {
  const unloadable = await loadHttpfs(connection, remote.reads.httpfsFile);
  if (unloadable !== null) return unloadable;
  const access = await remote.directAccess();
  if (typeof access === 'string') return { why: access, hint: 'Read copies instead, with --reads copies or auto.' };
  await createSecret(connection, access, { scope: remote.addressOf(''), place });
  return null;
}

/** Loads what is on this machine: nothing is downloaded. */
async function loadHttpfs(
  connection: DuckDBConnection,
  file: string | null,
): Promise<{ readonly why: string; readonly hint: string } | null> {
  try {
    await connection.run(`LOAD ${file === null ? 'httpfs' : quoteText(file)}`);
    return null;
  } catch {
    const [row] = await rowsOf(connection, 'SELECT version() AS version');
    const version = String(row?.version);
    const install = `INSTALL httpfs in a DuckDB shell of exactly version ${version}`;
    return file === null
      ? {
          why: `DuckDB ${version} finds no extension httpfs of its version`,
          hint: `Once, run: ${install}. Or name its file with --httpfs, or read copies with --reads copies.`,
        }
      : {
          why: `DuckDB ${version} does not load ${file}`,
          hint: `It has to be the signed file httpfs.duckdb_extension of version ${version} for this platform. Or run: ${install}.`,
        };
  }
}

/**
 * Gives DuckDB the credentials, for nothing but the folder of the lake, and for as long as it runs. It shows them in no
 * catalog and writes them nowhere. Secrets that the user keeps in files of DuckDB are left out.
 */
async function createSecret(
  connection: DuckDBConnection,
  access: DirectAccess,
  { scope, place }: { readonly scope: string; readonly place: number },
): Promise<void> {
  const options = [
    ...['TYPE s3', 'PROVIDER config', `SCOPE ${quoteText(scope)}`],
    ...[`KEY_ID ${quoteText(access.keyId)}`, `SECRET ${quoteText(access.secret)}`],
    ...(access.sessionToken === null ? [] : [`SESSION_TOKEN ${quoteText(access.sessionToken)}`]),
    ...[`REGION ${quoteText(access.region)}`, `ENDPOINT ${quoteText(access.host)}`],
    ...[`URL_STYLE ${quoteText(access.urlStyle)}`, `USE_SSL ${access.isEncrypted}`],
  ];
  // Objects never change, so that what is known of one need not be asked again.
  await connection.run('SET enable_http_metadata_cache = true');
  const [before] = await rowsOf(connection, "SELECT current_setting('allow_persistent_secrets') AS allowed");
  // It can be set before the first secret only.
  if (before?.allowed === true) await connection.run('SET allow_persistent_secrets = false');
  try {
    await connection.run(`CREATE TEMPORARY SECRET edrlake_${place} (${options.join(', ')})`);
  } catch {
    // Neither the message nor the cause: DuckDB quotes the statement in it.
    throw new EdrlakeError('BUG', 'DuckDB refuses the credentials of the object store');
  }
}

/** A failure of a statement that DuckDB met while it read objects, and that copies may not meet. */
export class DirectReadFailure extends Error {
  override readonly name = 'DirectReadFailure';
  /** In a few words, without what the server or DuckDB quotes. */
  readonly why: string;
  readonly explained: EdrlakeError;

  constructor(explained: EdrlakeError, why: string) {
    super(why);
    this.explained = explained;
    this.why = why;
  }
}

/** A lake in an object store, as its failures are explained. */
export interface ReadLake {
  readonly addressOf: (path: string) => string;
  readonly files: ReadonlyMap<string, unknown>;
}

/** DuckDB's errors about what it reads, and not about the statement. */
const OF_READING = /^(?:HTTP|IO|Invalid Input|Invalid|Serialization) Error|TProtocolException|Snappy|ZSTD/;

/** A data file as an error names it: at the end of its address or URL. */
const FILE_NAMED = /([^/'"\s]+\/\w+=[^/'"\s]+\/[^/'"\s]+\.parquet)/;

/**
 * What a failure of DuckDB over objects means; null for one that says nothing about them. The error holds nothing of
 * what DuckDB says beyond the status and the file: it may quote requests.
 * @param lakes those in object stores that the statement reads, with the files of their newest versions
 */
export function directFailure(thrown: unknown, lakes: readonly ReadLake[]): DirectReadFailure | null {
  const message = messageOf(thrown);
  if (thrown instanceof EdrlakeError || !OF_READING.test(message)) return null;
  const path = FILE_NAMED.exec(decoded(message))?.[1] ?? null;
  if (path === null && !/https?:\/\/|s3:\/\/|\bHTTP\b/.test(message)) return null;
  const owner = lakes.find(({ files }) => path !== null && files.has(path)) ?? lakes[0];
  const what = `GET ${owner?.addressOf(path ?? '') ?? path}`;
  const status = Number(/HTTP (\d{3})/.exec(message)?.[1] ?? 0);
  if (status === 404) return goneFailure(path, owner?.files.has(path ?? '') === true);
  if (status !== 0 && status < 500 && ![408, 409, 429].includes(status)) {
    const why = `HTTP ${status}`;
    const refused = new EdrlakeError('STORE_REFUSED', `the object store refused ${what}: ${why}`, {
      hint: 'Check the credentials and AWS_REGION. The same with --reads copies says more.',
    });
    return new DirectReadFailure(refused, `reading with httpfs failed with ${why}`);
  }
  if (status !== 0 || isConnectionError(message)) {
    const why = status === 0 ? 'no answer' : `HTTP ${status}`;
    const unanswered = new EdrlakeError('STORE_UNREACHABLE', `${what} failed: ${why}`, {
      disposition: 'retry',
      hint: 'Check AWS_ENDPOINT_URL and the network, then run the same command again.',
    });
    return new DirectReadFailure(unanswered, `reading with httpfs failed with ${why}`);
  }
  const broken = new EdrlakeError(
    'LAKE_CORRUPT',
    `a data file cannot be read: ${path ?? 'DuckDB does not say which'}`,
    {
      hint: 'Compare it with its checksum: run the query again with --reads copies, or edrlake doctor.',
    },
  );
  return new DirectReadFailure(broken, 'httpfs cannot read a file');
}

function isConnectionError(message: string): boolean {
  return /could not connect|timeout|timed out|connection|resolve|ssl|certificate/i.test(message);
}

function goneFailure(path: string | null, isOfNewest: boolean): DirectReadFailure {
  const name = path ?? 'a data file';
  const explained = path === null || isOfNewest ? unreadableData(`${name} is missing`) : replacedFile(path);
  return new DirectReadFailure(explained, 'httpfs finds a file missing');
}

/** URLs have `=` and others as hexadecimal digits. */
function decoded(message: string): string {
  return message.replace(/%[0-9A-Fa-f]{2}/g, (code) => String.fromCharCode(Number.parseInt(code.slice(1), 16)));
}
