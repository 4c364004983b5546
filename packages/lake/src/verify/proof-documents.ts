import { crc32 } from 'node:zlib';
import {
  type Day,
  intersect,
  isoInstant,
  rangeOfDays,
  sum,
  type TableSpec,
  type TimeRange,
  type WindowProof,
} from '@edrlake/core';
import { sumDigests } from '../log/content-digest.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { isSamePoint, type LogPoint } from '../log/log-point.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { isEventTable, partitionDay } from '../log/table-rows.ts';
import { FOLDERS, proofPath } from '../storage/layout.ts';
import type { Store } from '../storage/store.ts';
import { type DayCoverage, scopeText } from './coverage.ts';

/** What the documents are made of. */
export interface ProofSource {
  readonly tables: readonly TableSpec[];
  readonly snapshot: Snapshot;
  readonly coverage: readonly DayCoverage[];
  /** Whole UTC days, oldest first. */
  readonly provenDays: readonly TimeRange[];
}

/** One data file of a day, as the log has it. */
export interface ProofFile {
  readonly table: string;
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  /** null where an older edrlake wrote the file. */
  readonly crc32: number | null;
  /** Content digest; null before the first compaction. */
  readonly digest: string | null;
}

/** What `_proof/<day>.json` says about a day that has data files. */
export interface ProofDocument {
  readonly format: 1;
  readonly day: Day;
  /** Version of the lake in which it was written; it holds for all versions up to the one in the index. */
  readonly version: number;
  readonly schemaVersion: number;
  /** Whether the day is over and all of it proven, under no filter. */
  readonly proven: boolean;
  /** By scope: what the API counted, what the lake holds and how many records were rejected. */
  readonly coverage: readonly Readonly<Record<string, unknown>>[];
  /** The windows that brought the day, or a part of it, by their ids. */
  readonly windows: readonly Readonly<Record<string, unknown>>[];
  readonly tables: Readonly<Record<string, { readonly rows: number; readonly digest: string | null }>>;
  readonly files: readonly ProofFile[];
}

/** `_proof/index.json`: the version that the documents show, and the CRC-32 of the text of each. */
export interface ProofIndex {
  readonly version: number;
  /** Absent where an older edrlake wrote it. */
  readonly commitId?: string | null;
  readonly documents: Readonly<Record<Day, { readonly crc32: string; readonly content: string }>>;
}

const INDEX = `${FOLDERS.proof}/index.json`;

/** Documents that are written at once: each is synced by itself. */
const AT_ONCE = 16;

/**
 * Brings the documents to a version. Only those of days that changed are written, then the index, so that a crash
 * leaves an index of an older version, and the next writer repeats it. Derived: deleting the folder loses nothing.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`
 */
export async function writeProofDocuments(store: Store, source: ProofSource): Promise<void> {
  const { version, commitId } = source.snapshot;
  const found = await readProofIndex(store);
  // Documents of a history that was lost may name versions that are still to come.
  const isOfThis = found === null || found.version < version || isSamePoint(source.snapshot, found);
  const known = isOfThis ? found : null;
  const present = await presentDocuments(store, found);
  const documents: Record<Day, ProofIndex['documents'][Day]> = {};
  const changed: { readonly path: string; readonly text: string }[] = [];
  for (const document of documentsOf(source)) {
    const { day } = document;
    const content = checksumOf(JSON.stringify(document));
    const before = known?.documents[day];
    if (before?.content === content && present.has(nameOf(day))) {
      documents[day] = before;
      continue;
    }
    const text = `${JSON.stringify({ ...document, version })}\n`;
    documents[day] = { content, crc32: checksumOf(text) };
    changed.push({ path: proofPath(day), text });
  }
  for (let first = 0; first < changed.length; first += AT_ONCE) {
    await Promise.all(changed.slice(first, first + AT_ONCE).map(({ path, text }) => store.put(path, text)));
  }
  const index: ProofIndex = { version, commitId, documents };
  await store.put(INDEX, JSON.stringify(index));
  const gone = [...present].filter((name) => DOCUMENT_NAME.test(name) && documents[name.slice(0, 10)] === undefined);
  for (const name of gone) await store.remove(`${FOLDERS.proof}/${name}`);
}

const DOCUMENT_NAME = /^\d{4}-\d{2}-\d{2}\.json$/;

/** In an object store the index is believed: a list of thousands of documents takes several requests each time. */
async function presentDocuments(store: Store, index: ProofIndex | null): Promise<ReadonlySet<string>> {
  if (store.remote !== null && index !== null) return new Set(Object.keys(index.documents).map(nameOf));
  return new Set(await store.list(FOLDERS.proof));
}

/** Whether the documents show the version, and all of them are there. */
export async function areProofsOf(store: Store, point: LogPoint): Promise<boolean> {
  return (await proofsAt(store, point)) === 'current';
}

/**
 * What the documents are to a version. `older`: they show the number, and do not say of which commit, because an older
 * edrlake wrote them.
 */
export async function proofsAt(store: Store, point: LogPoint): Promise<'current' | 'older' | 'stale'> {
  const index = await readProofIndex(store);
  if (index === null || index.version !== point.version) return 'stale';
  const present = await presentDocuments(store, index);
  if (!Object.keys(index.documents).every((day) => present.has(nameOf(day)))) return 'stale';
  if (isSamePoint(point, index)) return 'current';
  return index.commitId === undefined ? 'older' : 'stale';
}

/** null where it is missing or cannot be understood. */
export async function readProofIndex(store: Store): Promise<ProofIndex | null> {
  try {
    const found = JSON.parse((await store.read(INDEX)) ?? 'null') as ProofIndex | null;
    return typeof found?.version === 'number' && typeof found.documents === 'object' ? found : null;
  } catch {
    return null;
  }
}

/** The document of a day; null where it is missing or is not the one that the index names. */
export async function readProofDocument(store: Store, index: ProofIndex, day: Day): Promise<ProofDocument | null> {
  const text = await store.read(proofPath(day));
  if (text === null || checksumOf(text) !== index.documents[day]?.crc32) return null;
  return JSON.parse(text) as ProofDocument;
}

function nameOf(day: Day): string {
  return `${day}.json`;
}

function checksumOf(text: string): string {
  return crc32(text).toString(16).padStart(8, '0');
}

/** The documents without their version, oldest first. */
function* documentsOf(source: ProofSource): Generator<Omit<ProofDocument, 'version'>> {
  const { snapshot, tables, coverage, provenDays } = source;
  const filesOf = new Map<Day, LoggedFile[]>();
  for (const table of tables.filter(isEventTable)) {
    for (const file of snapshot.files[table.name] ?? []) {
      const ofDay = filesOf.get(partitionDay(file)) ?? [];
      ofDay.push(file);
      filesOf.set(partitionDay(file), ofDay);
    }
  }
  const days = [...filesOf.keys()].sort();
  const windowsOf = windowsByDay(days, snapshot);
  const linesOf = new Map<Day, Record<string, unknown>[]>();
  for (const { day, scope, counted, inLake, rejected, verdict } of coverage) {
    linesOf.set(day, [...(linesOf.get(day) ?? []), { scope, counted, inLake, rejected, verdict }]);
  }
  for (const day of days) {
    const logged = filesOf.get(day) ?? [];
    const files = logged.map(proofFileOf).sort((a, b) => (a.path < b.path ? -1 : 1));
    const { startMs, endMs } = rangeOfDays(day);
    yield {
      format: 1,
      day,
      schemaVersion: Math.max(...logged.map(({ schemaVersion }) => schemaVersion)),
      proven: provenDays.some((range) => range.startMs <= startMs && endMs <= range.endMs),
      coverage: linesOf.get(day) ?? [],
      windows: (windowsOf.get(day) ?? []).map((proof) => windowOf(proof, day)),
      tables: Object.fromEntries(
        [...new Set(files.map(({ table }) => table))].map((table) => [table, sumOf(files, table)]),
      ),
      files,
    };
  }
}

/** How the log's record of a file reads in a document. */
export function proofFileOf({ table, path, rowCount, fileBytes, crc32: sum, digest }: LoggedFile): ProofFile {
  return { table, path, rows: rowCount, bytes: fileBytes, crc32: sum ?? null, digest: digest ?? null };
}

function sumOf(files: readonly ProofFile[], table: string): { readonly rows: number; readonly digest: string | null } {
  const ofTable = files.filter((file) => file.table === table);
  const digests = ofTable.flatMap(({ digest }) => digest ?? []);
  const rows = sum(ofTable, (file) => file.rows);
  return { rows, digest: digests.length === ofTable.length ? sumDigests(digests) : null };
}

/** A proof may be about years: of these only the days with data are looked at. */
function windowsByDay(days: readonly Day[], { proofs }: Snapshot): Map<Day, WindowProof[]> {
  const windows = new Map<Day, WindowProof[]>();
  const add = (day: Day, proof: WindowProof) => {
    const ofDay = windows.get(day);
    if (ofDay === undefined) windows.set(day, [proof]);
    else ofDay.push(proof);
  };
  const ranges = days.map((day) => ({ day, range: rangeOfDays(day) }));
  for (const proof of proofs) {
    const { axis, range } = proof.window;
    if (axis === 'processed') {
      for (const day of new Set([...Object.keys(proof.perDay), ...Object.keys(proof.rejectedPerDay)])) add(day, proof);
      continue;
    }
    for (let at = firstAfter(ranges, range.startMs); at < ranges.length; at += 1) {
      const one = ranges[at];
      if (one === undefined || intersect(one.range, range) === null) break;
      add(one.day, proof);
    }
  }
  return windows;
}

/** The position of the first day that ends after an instant. */
function firstAfter(ranges: readonly { readonly range: { readonly endMs: number } }[], ms: number): number {
  let [low, high] = [0, ranges.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((ranges[middle]?.range.endMs ?? 0) <= ms) low = middle + 1;
    else high = middle;
  }
  return low;
}

function windowOf(proof: WindowProof, day: Day): Readonly<Record<string, unknown>> {
  const { window, counted, fetched, distinct, rejected, perDay, comparedOnly, verdict, verifiedAtMs } = proof;
  const [from, to] = [isoInstant(window.range.startMs), isoInstant(window.range.endMs)];
  return {
    ...{ id: window.id, axis: window.axis, from, to, scope: scopeText(window.scope), cuts: window.cuts },
    ...{ counted, fetched, distinct, rejected, ofThisDay: perDay[day] ?? 0 },
    ...(comparedOnly && { comparedOnly }),
    verdict,
    verifiedAt: isoInstant(verifiedAtMs),
  };
}
