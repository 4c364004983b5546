import { createHash } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import {
  type Day,
  EdrlakeError,
  interruptOn,
  quoteName,
  quoteText,
  rowsOf,
  type SqlConnection,
  sum,
} from '@edrlake/core';
import type { Lake, Snapshot } from '@edrlake/lake';
import type { ClassPlan, MappingPlan } from '../mapping/class-plan.ts';
import { classUidSql, eventsSql, findingsSql, type Slice } from '../mapping/forward-sql.ts';
import { type LayoutChoice, sourceName } from './layout.ts';
import type { DayDocument, DayState, Target } from './state.ts';
import { type GroupRows, type StagedFile, writeClassFiles } from './write-files.ts';

/** What the days of one run have in common. */
export interface DayContext {
  readonly lake: Lake;
  readonly plan: MappingPlan;
  readonly choice: LayoutChoice;
  readonly target: Target;
  readonly groupRows: GroupRows;
  readonly signal: AbortSignal;
}

/** What happened to a day. `unchanged`: other files of the lake, but the same rows. */
export type DayOutcome = 'published' | 'unchanged';

/** Events that are made into attributes at once: their child rows are grouped in memory. */
const BUCKET_EVENTS = 50_000;

/** A commit may come between the questions about a day; then it is read again. */
const READ_ATTEMPTS = 3;

/** Brings one day of the target to the newest version of the lake. @throws {EdrlakeError} `LAKE_CONTENDED` */
export async function publishDay(
  context: DayContext,
  day: Day,
  before: DayDocument | null,
): Promise<{ readonly outcome: DayOutcome; readonly state: DayState }> {
  for (let attempt = 1; attempt <= READ_ATTEMPTS; attempt += 1) {
    const snapshot = await context.lake.snapshot();
    const fingerprint = fingerprintOf(snapshot, day);
    const content = await contentOf(context, day);
    const { current = null } = before ?? {};
    const isSame =
      current?.content === content &&
      current.mapping === context.plan.mapping.version &&
      (await context.target.areFilesThere(current));
    const made = isSame
      ? { state: { ...current, fingerprint, lakeVersion: snapshot.version }, staged: [] }
      : await makeFiles(context, day, { snapshot, fingerprint, content });
    if (fingerprintOf(await context.lake.snapshot(), day) !== fingerprint) continue;
    if (isSame) {
      await context.target.writeDay({ day, current: made.state, next: null });
      return { outcome: 'unchanged', state: made.state };
    }
    await putInPlace(context.target, day, current, made);
    return { outcome: 'published', state: made.state };
  }
  throw new EdrlakeError('LAKE_CONTENDED', `${day} changed each time it was read`, {
    context: { day },
    disposition: 'retry',
    hint: 'Run again when no export writes into that day.',
  });
}

/** Of the data files of a day: equal as long as no commit has touched it. */
export function fingerprintOf({ files }: Snapshot, day: Day): string {
  const paths = Object.entries(files).flatMap(([table, ofTable]) =>
    ofTable.filter(({ partition }) => partition === `event_date=${day}`).map(({ path }) => `${table} ${path}`),
  );
  return createHash('sha256').update(paths.sort().join('\n')).digest('hex').slice(0, 32);
}

/** Of the rows of a day, in any order and in any files. */
async function contentOf({ lake, plan, signal }: DayContext, day: Day): Promise<string> {
  const tables = plan.dataset.tables.filter(({ partitionBy }) => partitionBy === 'event_date');
  const parts = tables.map(
    ({ name }) =>
      `SELECT ${quoteText(name)} AS t, count(*) AS n, coalesce(sum(hash(r)), 0)::VARCHAR AS h FROM ${quoteName(name)} r WHERE event_date = DATE ${quoteText(day)}`,
  );
  const result = await lake.query(parts.join(' UNION ALL '), { signal });
  const lines: string[] = [];
  for await (const chunk of result.rows) lines.push(...chunk.map((row) => row.join(' ')));
  return createHash('sha256').update(lines.sort().join('\n')).digest('hex').slice(0, 32);
}

interface MadeFiles {
  readonly state: DayState;
  readonly staged: readonly StagedFile[];
}

async function makeFiles(
  context: DayContext,
  day: Day,
  { snapshot, fingerprint, content }: { snapshot: Snapshot; fingerprint: string; content: string },
): Promise<MadeFiles> {
  const { lake, plan, signal } = context;
  const events = sum(
    (snapshot.files.events ?? []).filter(({ partition }) => partition === `event_date=${day}`),
    ({ rowCount }) => rowCount,
  );
  const present = await classCounts(context, [day]);
  const bucketsOf = ({ facts }: Pick<ClassPlan, 'facts'>) => Math.ceil((present.get(facts.uid) ?? 0) / BUCKET_EVENTS);
  const staged: StagedFile[] = [];
  let unclassified: Record<string, number> = {};
  for (const ofClass of allClasses(plan)) {
    const buckets = bucketsOf(ofClass);
    if (buckets === 0) continue;
    const make = (slice: Slice) => eventsSql(plan, ofClass, slice);
    const { files, types } = await makeClass(context, ofClass, { day, buckets, make, version: snapshot.version });
    staged.push(...files);
    if (ofClass === plan.others) unclassified = types;
  }
  for (const finding of plan.findings) {
    const buckets = bucketsOf(finding);
    if (buckets === 0) continue;
    const make = (slice: Slice) => findingsSql(plan, finding, slice);
    const { files } = await makeClass(context, finding, { day, buckets, make, version: snapshot.version });
    staged.push(...files);
  }
  signal.throwIfAborted();
  const names = new Set(allClasses(plan).map(({ facts }) => facts.name));
  const published = sum(
    staged.filter(({ file }) => names.has(file.className)),
    ({ file }) => file.rows,
  );
  if (published !== events && fingerprintOf(await lake.snapshot(), day) === fingerprint) {
    throw new EdrlakeError('BUG', `${day}: the lake has ${events} events, ${published} were made into classes`);
  }
  const state: DayState = {
    mapping: plan.mapping.version,
    fingerprint,
    content,
    lakeVersion: snapshot.version,
    files: staged.map(({ file }) => file),
    unclassified,
  };
  return { state, staged };
}

/** Each class once; the one that takes all events last. */
export function allClasses({ types, others }: MappingPlan): ClassPlan[] {
  const byUid = new Map([...types.values()].flat().map((ofClass) => [ofClass.facts.uid, ofClass]));
  byUid.delete(others.facts.uid);
  return [...byUid.values(), others];
}

/** Events of some days by the uid of their class, and findings by theirs. */
export async function classCounts(
  { lake, plan, signal }: Pick<DayContext, 'lake' | 'plan' | 'signal'>,
  days: readonly Day[],
): Promise<Map<number, number>> {
  const inDays = `event_date IN (${days.map((day) => `DATE ${quoteText(day)}`).join(', ')})`;
  const findings = plan.findings.map(
    ({ facts, source }) =>
      `SELECT ${facts.uid}, count(*) FROM ${quoteName(source.table)} WHERE ${inDays} AND ${source.where}`,
  );
  const events = `SELECT ${classUidSql(plan)} AS uid, count(*) AS n FROM events WHERE ${inDays} GROUP BY ALL`;
  const result = await lake.query([events, ...findings].join(' UNION ALL '), { signal });
  const counts = new Map<number, number>();
  for await (const chunk of result.rows) for (const [uid, count] of chunk) counts.set(Number(uid), Number(count));
  return counts;
}

interface ClassWork {
  readonly day: Day;
  readonly buckets: number;
  readonly version: number;
  readonly make: (slice: Slice) => string;
}

async function makeClass(
  { lake, plan, choice, target, groupRows, signal }: DayContext,
  { facts }: Pick<ClassPlan, 'facts'>,
  { day, buckets, version, make }: ClassWork,
): Promise<{ readonly files: StagedFile[]; readonly types: Record<string, number> }> {
  const raw: string[] = [];
  try {
    for (let bucket = 0; bucket < buckets; bucket += 1) {
      const file = join(target.workFolder, `raw-${bucket}.parquet`);
      raw.push(file);
      await lake.queryToParquet(make({ day, bucket, buckets }), file, { signal });
    }
    const connection = await lake.connect();
    const guard = interruptOn(connection, signal);
    try {
      signal.throwIfAborted();
      const metadata = {
        'edrlake.ocsf.version': plan.version,
        'edrlake.ocsf.class': facts.name,
        'edrlake.ocsf.mapping': `${plan.dataset.name} ${plan.mapping.version}`,
        'edrlake.lake.version': String(version),
      };
      const rows = { facts, source: sourceName(plan.dataset, facts), day, raw, metadata };
      const files = await writeClassFiles(connection, rows, choice, target, groupRows);
      const types = facts === plan.others.facts ? await typesIn(connection, raw) : {};
      return { files, types };
    } catch (thrown) {
      throw writeError(thrown, target.workFolder, signal);
    } finally {
      guard.release();
    }
  } finally {
    for (const file of raw) await rm(file, { force: true });
  }
}

/** DuckDB says only in words that a file could not be written. */
function writeError(thrown: unknown, folder: string, signal: AbortSignal): unknown {
  if (thrown instanceof EdrlakeError) return thrown;
  if (signal.aborted) return new EdrlakeError('INTERRUPTED', 'publishing was interrupted', { cause: thrown });
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  if (!message.startsWith('IO Error')) return thrown;
  return new EdrlakeError('LAKE_UNWRITABLE', `cannot write into ${folder}: ${message}`, {
    cause: thrown,
    hint: 'Free some space, or choose another folder with --to; the next run goes on.',
  });
}

/** Events by type, the most frequent first. */
async function typesIn(connection: SqlConnection, raw: readonly string[]): Promise<Record<string, number>> {
  const rows = await rowsOf(
    connection,
    `SELECT coalesce(metadata.event_code, '') AS type, count(*) AS n FROM read_parquet([${raw.map(quoteText).join(', ')}]) GROUP BY ALL ORDER BY n DESC, type LIMIT ${MAX_TYPES}`,
  );
  return Object.fromEntries(rows.map(({ type, n }) => [String(type), Number(n)]));
}

/** Event types are delivered, so there may be any number of them. */
const MAX_TYPES = 20;

/**
 * Makes the files of a day what is published of it. Once the document of the day names them, it will be completed.
 * @param current what is published now
 */
export async function putInPlace(
  target: Target,
  day: Day,
  current: DayState | null,
  { state, staged }: MadeFiles,
): Promise<void> {
  const left = [...(current?.files ?? [])];
  const moves = staged.map(({ staged: name, file }) => {
    const found = left.findIndex(({ slot }) => slot === file.slot);
    const [old] = found < 0 ? [] : left.splice(found, 1);
    return { staged: name, to: file.path, replaces: old?.path ?? null };
  });
  const document = { day, current, next: { state, moves, removes: left.map(({ path }) => path) } };
  target.onStep('staged');
  await target.writeDay(document);
  target.onStep('intended');
  await target.completeDay(document);
}
