import { type Cell, EdrlakeError, idHash, type Row, type TimeAxis, type TimeRange } from '@edrlake/core';
import type { CommitTools } from '../log/commit-context.ts';
import type { LakeState, LoggedFile } from '../log/lake-state.ts';
import { partitionDay, tableNamed } from '../log/table-rows.ts';
import { type FilterAtom, holdsAtom } from '../proofs/window-filters.ts';
import { EVENTS, REJECTS } from '../storage/layout.ts';
import { filesThatMayHold } from '../verify/count-rows.ts';
import { mostFrequentFirst, type RejectReason } from '../verify/reject-reasons.ts';
import type { RowAnswer, RowQuestion } from '../verify/tally-days.ts';
import { withLatestSnapshot } from '../verify/with-latest-snapshot.ts';
import { dayNamed, entriesIn } from './index-entries.ts';
import { rowsOfFiles } from './parquet-rows.ts';

/** What is counted: a stored event, or a reject that counts in addition to the events. */
interface Counted {
  readonly table: string;
  readonly atMs: number;
  readonly atom: FilterAtom;
}

/** As `countRecords` of DuckDB: the number of stored records, events and open rejects, in each range. */
export async function countRecordsIn(
  tools: CommitTools,
  ranges: readonly TimeRange[],
  axis: TimeAxis,
): Promise<number[]> {
  if (ranges.length === 0) return [];
  return withLatestSnapshot(tools, async (snapshot, state) => {
    const tally = rangeTally(ranges);
    const files = [EVENTS, REJECTS].flatMap((table) => filesThatMayHold(snapshot, table, ranges, axis));
    const lost = await eachCounted(tools, state, { files, ranges, axis }, ({ atMs }) => tally.add(atMs));
    return { value: tally.counts(), lost };
  });
}

/** As `countAnswers` of DuckDB: answers the questions of coverage. */
export async function countAnswersIn(tools: CommitTools, questions: readonly RowQuestion[]): Promise<RowAnswer[]> {
  const ranges = questions.map(({ range }) => range);
  return withLatestSnapshot(tools, async (snapshot, state) => {
    const plain = questions.filter(isPlain);
    const filtered = questions.filter((question) => !isPlain(question));
    const [events, rejects] = [EVENTS, REJECTS].map(() => rangeTally(plain.map(({ range }) => range)));
    const answers = new Map(questions.map((question) => [question, { events: 0, rejects: 0 }]));
    const add = ({ table, atMs, atom }: Counted) => {
      (table === EVENTS ? events : rejects)?.add(atMs);
      for (const question of filtered) {
        const { range, cuts, without } = question;
        if (atMs < range.startMs || atMs >= range.endMs || !holdsAtom(cuts, atom)) continue;
        const answer = answers.get(question);
        if (answer === undefined || without.some((other) => holdsAtom(other, atom))) continue;
        answer[table === EVENTS ? 'events' : 'rejects'] += 1;
      }
    };
    const asked = questions.filter(({ rejectsOnly }) => rejectsOnly !== true).map(({ range }) => range);
    const files = [
      ...filesThatMayHold(snapshot, EVENTS, asked, 'event'),
      ...filesThatMayHold(snapshot, REJECTS, ranges, 'event'),
    ];
    const lost = await eachCounted(tools, state, { files, ranges, axis: 'event' }, add);
    const [eventCounts = [], rejectCounts = []] = [events?.counts(), rejects?.counts()];
    for (const [position, question] of plain.entries()) {
      answers.set(question, { events: eventCounts[position] ?? 0, rejects: rejectCounts[position] ?? 0 });
    }
    const value = questions.map((question): RowAnswer => {
      const { events: found = 0, rejects: left = 0 } = answers.get(question) ?? {};
      return { events: question.rejectsOnly === true ? 0 : found, rejects: left };
    });
    return { value, lost };
  });
}

/** The time of the newest event in some files; null where there is none. Files that cannot be read are left out. */
export async function newestEventIn(
  tools: CommitTools,
  state: LakeState,
  files: readonly LoggedFile[],
): Promise<number | null> {
  let newest: number | null = null;
  for (const file of files) {
    await ignoringLost(async () => {
      const rows = rowsOfFiles(readerOf(tools, state), tableNamed(tools.tables, EVENTS), [file], ['event_time']);
      for await (const [at] of rows) newest = Math.max(newest ?? Number(at), Number(at));
    });
  }
  return newest;
}

/** As `rejectReasons` of DuckDB. */
export function rejectReasonsIn(tools: CommitTools): Promise<RejectReason[]> {
  return withLatestSnapshot(tools, async ({ files }, state) => {
    const counts = new Map<string, number>();
    const lost: LoggedFile[] = [];
    for (const file of files[REJECTS] ?? []) {
      const reasons: string[] = [];
      const isRead = await ignoringLost(async () => {
        const rows = rowsOfFiles(readerOf(tools, state), tableNamed(tools.tables, REJECTS), [file], ['reason']);
        for await (const [reason] of rows) reasons.push(String(reason));
      });
      if (!isRead) lost.push(file);
      else for (const reason of reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    return { value: mostFrequentFirst(counts), lost };
  });
}

function isPlain({ cuts, without }: RowQuestion): boolean {
  return cuts.length + without.length === 0;
}

/** Counts times in ranges that may overlap: one binary search for each time. */
function rangeTally(ranges: readonly TimeRange[]) {
  const instants = [...new Set(ranges.flatMap(({ startMs, endMs }) => [startMs, endMs]))].sort((a, b) => a - b);
  const counts = new Array<number>(instants.length + 1).fill(0);
  /** The number of instants that are not after the time. */
  const binOf = (ms: number) => {
    let [low, high] = [0, instants.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((instants[middle] ?? 0) <= ms) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  return {
    add: (ms: number) => {
      const bin = binOf(ms);
      counts[bin] = (counts[bin] ?? 0) + 1;
    },
    counts: () => {
      const before: number[] = [0];
      for (const count of counts) before.push((before.at(-1) ?? 0) + count);
      return ranges.map(({ startMs, endMs }) => (before[binOf(endMs)] ?? 0) - (before[binOf(startMs)] ?? 0));
    },
  };
}

/** @returns files that could not be read; they are left out */
async function eachCounted(
  tools: CommitTools,
  state: LakeState,
  about: { readonly files: readonly LoggedFile[]; readonly ranges: readonly TimeRange[]; readonly axis: TimeAxis },
  add: (counted: Counted) => void,
): Promise<LoggedFile[]> {
  const { files, ranges, axis } = about;
  const time = axis === 'event' ? 'event_time' : 'processed_time';
  const lost: LoggedFile[] = [];
  const events = tableNamed(tools.tables, EVENTS);
  for (const file of files.filter(({ table }) => table === EVENTS)) {
    const found: Counted[] = [];
    const isRead = await ignoringLost(async () => {
      const rows = rowsOfFiles(readerOf(tools, state), events, [file], [time, 'event_type', 'agent_id']);
      for await (const [at, type, agent] of rows) {
        if (at !== null) found.push({ table: EVENTS, atMs: Number(at), atom: atomOf(type, agent) });
      }
    });
    if (isRead) for (const one of found) add(one);
    else lost.push(file);
  }
  const rejects = await openRejectsIn(tools, state, { ...about, time, ranges });
  for (const [at, type, agent] of rejects.rows) {
    if (at !== null) add({ table: REJECTS, atMs: Number(at), atom: atomOf(type, agent) });
  }
  return [...lost, ...rejects.lost];
}

function atomOf(type: Cell | undefined, agent: Cell | undefined): FilterAtom {
  return { type: (type ?? null) as string | null, agent: (agent ?? null) as string | null };
}

interface Reject {
  readonly eventId: string | null;
  readonly atMs: number | null;
  readonly ingestDay: number;
  readonly record: string;
}

/**
 * As `openRejects` of DuckDB: a reject whose event was later delivered in readable form does not count, and several
 * rejects of one id are one record, the one fetched last.
 * @returns rows of time, type and agent
 */
async function openRejectsIn(
  tools: CommitTools,
  state: LakeState,
  about: { readonly files: readonly LoggedFile[]; readonly time: string; readonly ranges: readonly TimeRange[] },
): Promise<{ readonly rows: readonly Row[]; readonly lost: readonly LoggedFile[] }> {
  const lost: LoggedFile[] = [];
  const found: Reject[] = [];
  const columns = ['event_id', about.time, 'ingest_date', 'record'];
  for (const file of about.files.filter(({ table }) => table === REJECTS)) {
    const ofFile: Reject[] = [];
    const isRead = await ignoringLost(async () => {
      const rows = rowsOfFiles(readerOf(tools, state), tableNamed(tools.tables, REJECTS), [file], columns);
      for await (const [eventId, at, day, record] of rows) {
        const atMs = at === null ? null : Number(at);
        ofFile.push({ eventId: eventId as string | null, atMs, ingestDay: Number(day), record: String(record) });
      }
    });
    if (isRead) found.push(...ofFile);
    else lost.push(file);
  }
  const newest = new Map<string, Reject>();
  for (const one of found) {
    if (one.eventId === null || one.atMs === null) continue;
    const before = newest.get(one.eventId);
    const isNewer =
      before === undefined ||
      one.ingestDay > before.ingestDay ||
      (one.ingestDay === before.ingestDay && one.atMs > (before.atMs ?? 0));
    if (isNewer) newest.set(one.eventId, one);
  }
  const arrived = newest.size === 0 ? new Set<string>() : await arrivedAmong(tools, state, new Set(newest.keys()));
  const once = [...newest.values()].filter(({ eventId }) => !arrived.has(eventId ?? ''));
  const open = [...found.filter(({ eventId }) => eventId === null), ...once];
  return { rows: open.map((one) => rowOf(tools, one)), lost };
}

/** Compares ids in full, in the files of the days that the index names for their hashes. */
async function arrivedAmong(tools: CommitTools, state: LakeState, ids: ReadonlySet<string>): Promise<Set<string>> {
  const hashes = new Set([...ids].map(idHash));
  const days = new Set<string>();
  await tools.store.remote?.bring([...state.identityFiles.values()]);
  const index = [...state.identityFiles.values()].map(({ path }) => tools.store.locate(path));
  const isIndexed = await ignoringLost(async () => {
    for await (const entry of entriesIn(index)) if (hashes.has(entry.idHash)) days.add(dayNamed(entry.day));
  });
  const arrived = new Set<string>();
  for (const file of state.files.values()) {
    // Where the index cannot be read, every day is included; the next commit repairs the index.
    if (file.table !== EVENTS || (isIndexed && !days.has(partitionDay(file)))) continue;
    await ignoringLost(async () => {
      const rows = rowsOfFiles(readerOf(tools, state), tableNamed(tools.tables, EVENTS), [file], ['event_id']);
      for await (const [eventId] of rows) if (ids.has(String(eventId))) arrived.add(String(eventId));
    });
  }
  return arrived;
}

/** Type and agent are read from where events have them. */
function rowOf(tools: CommitTools, { atMs, record }: Reject): Row {
  const { columns } = tableNamed(tools.tables, EVENTS);
  const value = (column: string) => {
    const paths = columns.find(({ name }) => name === column)?.paths ?? [];
    const texts = paths.map((path) => textAt(record, path));
    return texts.find((text) => text !== '') ?? null;
  };
  return [atMs, value('event_type'), value('agent_id')];
}

/** Empty where there is none. */
function textAt(record: string, path: string): string {
  let value: unknown = JSON.parse(record);
  for (const name of path.split('.')) {
    value = typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>)[name] : null;
  }
  if (value === null || value === undefined) return '';
  return (typeof value === 'string' ? value : JSON.stringify(value)).trim();
}

/** @returns false where a file is missing or broken */
async function ignoringLost(read: () => Promise<void>): Promise<boolean> {
  try {
    await read();
    return true;
  } catch (thrown) {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_CORRUPT') return false;
    throw thrown;
  }
}

function readerOf({ store }: CommitTools, { schemas }: LakeState) {
  return { store, schemas };
}
