import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { type Day, MS_PER_HOUR, writeAtomic } from '@edrlake/core';
import type { Lake, Snapshot } from '@edrlake/lake';
import type { DayVerdict, ReconciledDay } from './reconcile.ts';

/** The newest result for a day. */
export interface LastReconciliation {
  readonly verdict: DayVerdict;
  readonly inApi: number;
  readonly difference: number;
  readonly atMs: number;
  /** The newest version when the comparison began; null where an older edrlake noted it. */
  readonly version: number | null;
}

/** The newest commit when a comparison began. */
export interface ComparedCommit {
  /** 0: there was none yet. */
  readonly version: number;
  readonly runId: string;
  readonly committedAtMs: number;
}

/** As it is on disk. Without `over` where an older edrlake wrote it. */
interface StoredReconciliation extends Omit<LastReconciliation, 'version'> {
  readonly over?: ComparedCommit;
}

const FILE = '_runs/reconciliation.json';

/** Others may commit meanwhile. */
const LONGEST_COMPARISON_MS = MS_PER_HOUR;

const NO_COMMIT: ComparedCommit = { version: 0, runId: '', committedAtMs: 0 };

/** What a comparison that begins now is about: take it before the first look into the lake. */
export async function comparedCommitOf(lake: Pick<Lake, 'snapshot'>): Promise<ComparedCommit> {
  const { version, runId, committedAtMs } = (await lake.snapshot()).commits.at(-1) ?? NO_COMMIT;
  return { version, runId, committedAtMs };
}

/**
 * The last reconciliation of every day that had one. A match is left out where it is outdated: a later commit records
 * that the day has lost rows, the log is not the one that was compared, because it was rebuilt or restored, or later
 * commits show that the clock was ahead. Differences stay until another comparison. Empty without a file, or if it
 * cannot be read: nothing depends on it.
 */
export async function lastReconciliations(
  lake: Pick<Lake, 'directory' | 'snapshot'>,
): Promise<ReadonlyMap<Day, LastReconciliation>> {
  const stored = await readStored(lake);
  if (stored.size === 0) return new Map();
  const { commits, losses } = await lake.snapshot();
  const known = commitsOf({ commits });
  const lostAt = new Map(losses.map(({ day, version }) => [day, version]));
  const earliestAfter = earliestCommitAfter(commits);
  const found = new Map<Day, LastReconciliation>();
  for (const [day, { over, ...last }] of stored) {
    const isCurrent =
      over !== undefined &&
      holds(known, over) &&
      over.version >= (lostAt.get(day) ?? 0) &&
      last.atMs <= earliestAfter(over.version) + LONGEST_COMPARISON_MS;
    if (last.verdict !== 'match' || isCurrent) found.set(day, { ...last, version: over?.version ?? null });
  }
  return found;
}

function commitsOf({ commits }: Pick<Snapshot, 'commits'>): ReadonlyMap<number, Snapshot['commits'][number]> {
  return new Map(commits.map((commit) => [commit.version, commit]));
}

/** The earliest date of the commits after a version. */
function earliestCommitAfter(commits: Snapshot['commits']): (version: number) => number {
  const earliest = new Map<number, number>();
  let earliestMs = Number.POSITIVE_INFINITY;
  for (const { version, committedAtMs } of commits.toReversed()) {
    earliest.set(version, earliestMs);
    earliestMs = Math.min(earliestMs, committedAtMs);
  }
  return (version) => earliest.get(version) ?? earliestMs;
}

/** Whether the log has the commit. A log that was rebuilt does not begin with the first version. */
function holds(known: ReadonlyMap<number, Snapshot['commits'][number]>, over: ComparedCommit): boolean {
  if (over.version === 0) return known.size === 0 || known.has(1);
  const commit = known.get(over.version);
  return commit?.runId === over.runId && commit.committedAtMs === over.committedAtMs;
}

async function readStored({ directory }: Pick<Lake, 'directory'>): Promise<ReadonlyMap<Day, StoredReconciliation>> {
  const text = await readFile(join(directory, FILE), 'utf8').catch(() => '{}');
  try {
    return new Map(Object.entries(JSON.parse(text) as Record<Day, StoredReconciliation>));
  } catch {
    return new Map();
  }
}

/**
 * Stores what a reconciliation found, over earlier results for the same days. Atomic; the last writer wins, except that
 * no equality overrules a difference of a later commit: one of two at the same time began over an older lake.
 * @param over what `comparedCommitOf` said before it
 */
export async function rememberReconciliation(
  lake: Pick<Lake, 'directory' | 'snapshot'>,
  days: readonly Pick<ReconciledDay, 'day' | 'eventType' | 'verdict' | 'inApi' | 'difference'>[],
  { over, atMs }: { readonly over: ComparedCommit; readonly atMs: number },
  uniqueName: string,
): Promise<void> {
  const kept = new Map(await readStored(lake));
  const known = commitsOf(await lake.snapshot());
  for (const { day, eventType, verdict, inApi, difference } of days) {
    const before = kept.get(day);
    const isLater = before?.over !== undefined && before.over.version > over.version && holds(known, before.over);
    const isOvertaken = isLater && verdict === 'match' && before?.verdict !== 'match';
    if (eventType === null && !isOvertaken) kept.set(day, { verdict, inApi, difference, atMs, over });
  }
  const path = join(lake.directory, FILE);
  const text = JSON.stringify(Object.fromEntries([...kept].sort(([a], [b]) => (a < b ? -1 : 1))));
  // A power cut may lose it: the next reconciliation writes it again.
  await writeAtomic(path, text, { temporary: `${path}.${uniqueName}.part`, syncs: 'nothing' });
}

/** Forgets all of them: they say nothing about a lake whose log is another one. */
export async function forgetReconciliations(directory: string): Promise<void> {
  await rm(join(directory, FILE), { force: true });
}
