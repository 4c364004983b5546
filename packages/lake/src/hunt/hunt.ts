import type { DuckDBConnection } from '@duckdb/node-api';
import {
  EdrlakeError,
  interruptOn,
  NO_FILTER,
  SETTLE_LAG_MS,
  sum,
  type TableSpec,
  type TimeRange,
} from '@edrlake/core';
import type { Indicator } from '../indicators/indicator.ts';
import type { CommitTools } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { isSamePoint } from '../log/log-point.ts';
import type { Snapshot } from '../log/snapshot.ts';
import { type PlainRow, partitionDay, tableNamed } from '../log/table-rows.ts';
import { damagedFiles } from '../storage/checksum.ts';
import { explainFileError } from '../storage/file-errors.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { provenRangesOf, type SeenCoverage } from '../verify/coverage.ts';
import { huntCoverage, knownRange, type ProvenTimes } from './hunt-coverage.ts';
import { huntRejects } from './hunt-rejects.ts';
import { dropHuntTables, eachMatch, findHits, readMatches, summaries, writeMatches } from './hunt-sql.ts';
import type { HuntOptions, HuntReport, IndicatorFinding } from './hunt-types.ts';
import { askIndex, filesDuring, huntedTables } from './hunted-tables.ts';

/** What a hunt needs of an open lake. */
export interface HuntSource {
  readonly tools: Pick<CommitTools, 'store' | 'log' | 'tables' | 'clock'>;
  readonly connect: () => Promise<DuckDBConnection>;
  readonly snapshot: () => Promise<Snapshot>;
  readonly coverage: (range?: TimeRange) => Promise<SeenCoverage>;
}

/** A writer may move files away while they are read. */
const MAX_ATTEMPTS = 3;

/**
 * Looks for indicators in the rows of the newest version, and says what it means where none is found. Files that are
 * read are compared with their checksums first: a damaged file could hide what it held.
 * @throws {EdrlakeError} `USAGE` without indicators, `INTERRUPTED`, `LAKE_CORRUPT` where a file cannot be read
 */
export async function huntLake(
  source: HuntSource,
  indicators: readonly Indicator[],
  options: HuntOptions = {},
): Promise<HuntReport> {
  if (indicators.length === 0) {
    throw new EdrlakeError('USAGE', 'expected at least one indicator, found none', {
      hint: 'Give a hash, an address, a domain, a host, a file or a path.',
    });
  }
  const { signal } = options;
  const connection = await source.connect();
  for (let attempt = 1; ; attempt += 1) {
    refuseAborted(signal);
    const snapshot = await source.snapshot();
    const guard = interruptOn(connection, signal);
    try {
      const report = await huntVersion(source, snapshot, connection, indicators, options);
      const { onMatches, matchesFile } = options;
      if (matchesFile !== undefined) await writeMatches(connection, indicators, matchesFile);
      if (onMatches !== undefined) await onMatches(eachMatch(connection), report);
      return report;
    } catch (thrown) {
      refuseAborted(signal, thrown);
      if (attempt === MAX_ATTEMPTS || isSamePoint(snapshot, await source.snapshot())) throw explainFileError(thrown);
    } finally {
      guard.release();
      await dropHuntTables(connection);
    }
  }
}

async function huntVersion(
  source: HuntSource,
  snapshot: Snapshot,
  connection: DuckDBConnection,
  indicators: readonly Indicator[],
  { range: asked, signal }: HuntOptions,
): Promise<HuntReport> {
  const { store, log, tables, clock } = source.tools;
  const nowMs = clock.nowMs();
  const { lines, lost } = await source.coverage(asked);
  const known = { lines, ...provenOf(snapshot, nowMs), nowMs };
  const range = asked ?? knownRange(known.lines, known.followed, nowMs);
  const asAsked = huntedTables(tables, snapshot.files, indicators, asked);
  const events = tableNamed(tables, EVENTS);
  const eventFiles = filesDuring(snapshot.files[EVENTS] ?? [], asked);
  const named = [...new Set(asAsked.flatMap(({ files }) => files))];
  const { tables: wanted, indicators: left } = await askIndex(source.tools, connection, asAsked, indicators);
  const lostPaths = new Set(lost.map(({ path }) => path));
  const read = [...new Set(wanted.flatMap(({ files }) => files))].filter(({ path }) => !lostPaths.has(path));
  const bad = new Set([...lostPaths, ...(await damagedFiles(store, read)).map(({ path }) => path)]);
  const isWhole = ({ path }: LoggedFile) => !bad.has(path);
  const whole = wanted.map((one) => ({ ...one, files: one.files.filter(isWhole) }));
  refuseAborted(signal);
  const reader = { store, schemas: log.known().schemas };
  const hits = await findHits(connection, reader, whole, left);
  await readMatches(connection, reader, {
    hits,
    tables: whole,
    events,
    eventFiles: eventFiles.filter(isWhole),
    range: asked ?? null,
  });
  const rejectFiles = snapshot.files[REJECTS] ?? [];
  const badRejects = new Set(await damagedFiles(store, rejectFiles));
  const wholeRejects = rejectFiles.filter((file) => !badRejects.has(file));
  const rejects = await huntRejects(connection, reader, indicators, {
    tables,
    files: wholeRejects,
    range: asked ?? null,
  });
  const rows = hits.locations.size === 0 ? [] : await summaries(connection, hits.rowsSql !== null);
  const findings = findingsOf(rows, indicators, tables, rejects.mayHold);
  const lostDays = named.filter((file) => !isWhole(file)).map(partitionDay);
  return {
    version: snapshot.version,
    findings,
    coverage: huntCoverage(range, known, {
      lostDays,
      rejects: rejects.count,
      isRejectLost: wholeRejects.length < rejectFiles.length,
    }),
    matches: sum(findings, ({ matches }) => matches),
    files: named.length,
    filesRead: read.length,
  };
}

function provenOf(snapshot: Snapshot, nowMs: number): Pick<ProvenTimes, 'byEvent' | 'followed'> {
  const proven = (axis: 'event' | 'processed') =>
    provenRangesOf(snapshot, { axis, scope: NO_FILTER }, nowMs, SETTLE_LAG_MS);
  return { byEvent: proven('event'), followed: proven('processed') };
}

function findingsOf(
  rows: readonly PlainRow[],
  indicators: readonly Indicator[],
  tables: readonly TableSpec[],
  inRejects: ReadonlyMap<number, number>,
): IndicatorFinding[] {
  const held = new Set(tables.flatMap(({ columns }) => columns.flatMap(({ observable }) => observable ?? [])));
  const seen = new Map(rows.map((row) => [Number(row.n), row]));
  return indicators.map((indicator, n) => {
    const row = seen.get(n);
    const isSearchable = indicator.sought.some(({ observable }) => held.has(observable));
    const rejects = inRejects.get(n) ?? 0;
    const unseen = rejects > 0 ? 'unknown' : 'not seen';
    return {
      indicator,
      verdict: row !== undefined ? 'seen' : isSearchable ? unseen : 'not searchable',
      rejects,
      matches: Number(row?.matches ?? 0),
      events: Number(row?.events ?? 0),
      hosts: Number(row?.hosts ?? 0),
      firstSeenMs: row === undefined ? null : Number(row.first_ms),
      lastSeenMs: row === undefined ? null : Number(row.last_ms),
      columns: row === undefined ? [] : String(row.columns).split(' '),
    };
  });
}

function refuseAborted(signal: AbortSignal | undefined, cause?: unknown): void {
  if (signal?.aborted) throw new EdrlakeError('INTERRUPTED', 'the hunt was interrupted', { cause });
}
