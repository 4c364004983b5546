import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** The part of a window's proof that is checked. */
export interface LoggedProof {
  readonly window: {
    readonly axis: 'event' | 'processed';
    readonly range: { readonly startMs: number; readonly endMs: number };
    readonly cuts: readonly unknown[];
    readonly scope: { readonly filter: string | null; readonly state: boolean | null };
  };
  readonly counted: number;
  readonly fetched: number;
  readonly distinct: number;
  readonly rejected: number;
  readonly verdict: string;
  readonly verifiedAtMs: number;
  readonly countedAtMs?: number;
  readonly comparedOnly?: boolean;
}

/** The part of a log entry that is checked. */
export interface LogEntry {
  readonly version: number;
  readonly commitId: string;
  readonly runId: string;
  readonly added: readonly { readonly table: string; readonly path: string }[];
  readonly removed: readonly string[];
  readonly proofs: readonly LoggedProof[];
}

interface Checkpoint {
  readonly version: number;
  readonly files: readonly { readonly table: string; readonly path: string }[];
}

/** The files and proofs of the newest version, from the newest checkpoint and the entries after it. */
export function readLog(lake: string): { version: number; files: { table: string; path: string }[] } {
  const folder = join(lake, '_log');
  const names = existsSync(folder) ? readdirSync(folder).sort() : [];
  const read = (name: string) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown;
  const newest = names.filter((name) => /^\d{20}\.checkpoint\.json$/.test(name)).at(-1);
  const checkpoint = newest === undefined ? null : (read(newest) as Checkpoint);
  const files = new Map((checkpoint?.files ?? []).map((file) => [file.path, file]));
  let version = checkpoint?.version ?? 0;
  for (const name of names.filter((each) => /^\d{20}\.json$/.test(each))) {
    const entry = Number.parseInt(name, 10) > version ? (read(name) as LogEntry) : null;
    if (entry === null) continue;
    for (const path of entry.removed) files.delete(path);
    for (const { table, path } of entry.added) files.set(path, { table, path });
    version = entry.version;
  }
  return { version, files: [...files.values()] };
}
