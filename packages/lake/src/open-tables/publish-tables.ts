import { TABLE_FORMATS, type TableFormat } from '@edrlake/core';
import { isOfLostHistory } from '../log/log-point.ts';
import { publishDelta } from './delta/delta.ts';
import { catalogPath, publishDuckLake } from './ducklake/ducklake.ts';
import { publishIceberg } from './iceberg/iceberg.ts';
import { type Published, type PublishSource, readPublication } from './publication/publication.ts';
import { tableHome } from './publication/table-home.ts';

/** How tables are published. */
export interface PublishOptions {
  /**
   * Folder for the published tables, on the file system of the lake and outside of it. `_tables` in the lake unless
   * given.
   */
  readonly to?: string;
}

/** What was published. */
export interface PublishReport extends Published {
  readonly format: TableFormat;
  /** Folder or address of each published table, by name. */
  readonly tables: Readonly<Record<string, string>>;
  /** Path or address of the catalogue that has all tables; null where the format has none. */
  readonly catalog: string | null;
  /** Second names of files that were taken away, because no version in the grace period has them. */
  readonly filesReleased: number;
}

/** How far a publication is. */
export interface PublicationState {
  readonly format: TableFormat;
  /** The version of the lake that every table shows; null where the first publication did not end. */
  readonly version: number | null;
  /** Whether the log does not have that version: an older log was restored since. */
  readonly isOfLostHistory: boolean;
}

/** The publishing of one lake. */
export interface Publishing {
  /**
   * Publishes all tables in another table format, with the versions since the last time; see `publishTables`.
   * @throws {EdrlakeError} `PUBLISH_REFUSED`, `INTERRUPTED`
   */
  publish(
    format: TableFormat,
    options: PublishOptions,
    context: { readonly signal: AbortSignal },
  ): Promise<PublishReport>;
  /** What is published inside the lake, and how far it is. */
  publications(): Promise<readonly PublicationState[]>;
}

/**
 * Publishes all versions of the lake since the last time in another table format. Writes metadata, and gives data files
 * second names; copies and changes none. May be interrupted at any moment and repeated, and run by several processes at
 * once; when nothing is new, it writes nothing.
 * @throws {EdrlakeError} `PUBLISH_REFUSED`, `USAGE`, `LAKE_UNWRITABLE`, `LAKE_CORRUPT`
 */
export async function publishTables(
  { directory, ...source }: PublishSource,
  format: TableFormat,
  { to }: PublishOptions,
  signal: AbortSignal,
): Promise<PublishReport> {
  const home = tableHome(source.store, directory, to ?? null);
  const published = await PUBLISHERS[format]({ ...source, home, signal });
  const names = source.tables.map(({ name }) => name);
  const filesReleased = await home.prune(source.log, names);
  const tables = Object.fromEntries(names.map((name) => [name, home.locate(home.folderOf(name))]));
  const catalog = format === 'ducklake' ? home.locate(catalogPath(home)) : null;
  return { format, ...published, tables, catalog, filesReleased };
}

const PUBLISHERS = { delta: publishDelta, iceberg: publishIceberg, ducklake: publishDuckLake } as const;

/** The publications in the lake itself; those in other folders are not known to it. */
export async function publicationsOf({
  store,
  log,
  directory,
}: Pick<PublishSource, 'store' | 'log' | 'directory'>): Promise<PublicationState[]> {
  const home = tableHome(store, directory, null);
  const found: PublicationState[] = [];
  for (const format of TABLE_FORMATS) {
    const publication = await readPublication(home, format);
    if (publication === null) continue;
    const { version, commitId = null } = publication;
    const isOther = version !== null && isOfLostHistory(await log.refresh(), { version, commitId });
    found.push({ format, version, isOfLostHistory: isOther });
  }
  return found;
}
