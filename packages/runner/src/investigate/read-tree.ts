import {
  dayOf,
  EdrlakeError,
  instantText,
  MS_PER_DAY,
  type ProcessColumns,
  type ProcessNames,
  quoteName,
  quoteText,
  startOfDayMs,
  type TimeRange,
} from '@edrlake/core';
import type { FoundEvent, Lake, QueryValue } from '@edrlake/lake';
import { type Absence, readAbsence } from './absence.ts';
import {
  forestOf,
  type GhostReason,
  type NamedProcess,
  type ProcessNode,
  processTable,
  type SeenProcess,
  treeAround,
} from './process-tree.ts';

/** A tree of processes of one host, and the days that were looked at. */
export interface HostTree {
  readonly host: string;
  readonly agentId: string;
  readonly range: TimeRange;
  /** One for an event; for a host one for each process without a parent in the lake. */
  readonly roots: readonly ProcessNode[];
  /** Processes that were seen. */
  readonly processes: number;
  /** Whether the host has more events about processes than are read; the oldest are shown. */
  readonly isCut: boolean;
}

/** How much is read and shown. */
export interface TreeOptions {
  /** null: the week before the event, or the last day on which an event of the host is about a process. */
  readonly range: TimeRange | null;
  readonly depth: number;
  readonly children: number;
  readonly nowMs: number;
  readonly signal: AbortSignal;
}

/** Events about processes of one host that are held in memory at most. */
const MAX_SEEN = 50_000;

/** A parent is often days older than what it starts. */
const DAYS_BEFORE = 7;

/**
 * The process tree around an event that is in the lake.
 * @throws {EdrlakeError} `USAGE` where the event names no process, or the dataset knows none
 */
export async function treeOfEvent(lake: Lake, found: FoundEvent, options: TreeOptions): Promise<HostTree> {
  const columns = processesOf(lake);
  const values = found.tables[0]?.rows[0]?.values ?? {};
  const text = (name: string | undefined) => (name === undefined ? null : textOf(values[name] ?? null));
  const atMs = Date.parse(String(values.event_time));
  const named = namedBy(columns.subject, text, atMs) ?? namedBy(columns.actor, text, atMs);
  const agentId = text('agent_id');
  if (named === null || agentId === null) {
    throw new EdrlakeError('USAGE', `the event ${found.eventId} names no process, or no agent`, {
      context: { eventId: found.eventId },
      hint: 'Ask for the tree of its host instead.',
    });
  }
  const day = startOfDayMs(dayOf(atMs));
  const range = options.range ?? { startMs: day - DAYS_BEFORE * MS_PER_DAY, endMs: day + MS_PER_DAY };
  const { seen, isCut } = await seenProcesses(lake, columns, agentId, range, options.signal);
  const table = processTable(seen);
  const ghostReason = await reasons(lake, range, options.nowMs);
  const root = treeAround(table, named, { ...options, ghostReason });
  const host = text(columns.host) ?? agentId;
  return { host, agentId, range, roots: [root], processes: table.instances.length, isCut };
}

/** All processes of a host, by its name or agent id; null where the lake has no event of it. */
export async function treeOfHost(lake: Lake, host: string, options: TreeOptions): Promise<HostTree | null> {
  const columns = processesOf(lake);
  const name = quoteName(columns.host);
  const [found] = await rowsOf(
    lake,
    `SELECT agent_id, any_value(${name}), coalesce(max(event_date) FILTER (WHERE ${quoteName(columns.subject.id)} IS NOT NULL), max(event_date)) FROM events WHERE agent_id = ${quoteText(host)} OR ${name} = ${quoteText(host)} GROUP BY agent_id ORDER BY max(event_date) DESC, agent_id LIMIT 1`,
    options.signal,
  );
  if (found === undefined) return null;
  const [agentId = '', hostName, lastDay] = found.map((value) => textOf(value) ?? '');
  const day = startOfDayMs(lastDay ?? '');
  const range = options.range ?? { startMs: day, endMs: day + MS_PER_DAY };
  const { seen, isCut } = await seenProcesses(lake, columns, agentId, range, options.signal);
  const table = processTable(seen);
  const ghostReason = await reasons(lake, range, options.nowMs);
  const roots = forestOf(table, { ...options, ghostReason });
  return { host: hostName || agentId, agentId, range, roots, processes: table.instances.length, isCut };
}

function processesOf({ dataset }: Lake): ProcessColumns {
  if (dataset.processes !== undefined) return dataset.processes;
  throw new EdrlakeError('USAGE', `the events of ${dataset.name} know no processes`, {
    hint: 'A dataset says in its definition which columns do.',
  });
}

function namedBy(
  names: ProcessNames,
  text: (name: string | undefined) => string | null,
  atMs: number,
): NamedProcess | null {
  const processId = text(names.id);
  if (processId === null) return null;
  const started = text(names.started);
  return {
    processId,
    name: text(names.name),
    arguments: text(names.arguments) ?? text(names.path),
    user: text(names.user),
    parentId: text(names.parent),
    atMs,
    startedMs: started === null ? null : Date.parse(started),
  };
}

async function seenProcesses(
  lake: Lake,
  { subject }: ProcessColumns,
  agentId: string,
  range: TimeRange,
  signal: AbortSignal,
): Promise<{ readonly seen: readonly SeenProcess[]; readonly isCut: boolean }> {
  const column = (name: string | undefined) => (name === undefined ? 'NULL' : quoteName(name));
  const shown = [subject.id, subject.name, subject.parent, subject.arguments, subject.path, subject.user].map(column);
  const days = `event_date BETWEEN DATE '${dayOf(range.startMs)}' AND DATE '${dayOf(range.endMs - 1)}'`;
  const times = `event_time >= '${instantText(range.startMs)}'::TIMESTAMPTZ AND event_time < '${instantText(range.endMs)}'::TIMESTAMPTZ`;
  const rows = await rowsOf(
    lake,
    `SELECT event_id, epoch_ms(event_time), ${shown.join(', ')} FROM events WHERE agent_id = ${quoteText(agentId)} AND ${shown[0]} IS NOT NULL AND ${days} AND ${times} ORDER BY event_time, event_id LIMIT ${MAX_SEEN + 1}`,
    signal,
  );
  const seen = rows.slice(0, MAX_SEEN).map(([eventId, ms, ...texts]): SeenProcess => {
    const [processId, name, parentId, words, path, user] = texts.map((value) => textOf(value));
    return {
      eventId: String(eventId),
      atMs: Number(ms),
      processId: processId ?? '',
      name: name ?? null,
      parentId: parentId ?? null,
      arguments: words ?? path ?? null,
      user: user ?? null,
    };
  });
  return { seen, isCut: rows.length > MAX_SEEN };
}

/** Says of processes that are not in the lake why. */
async function reasons(
  lake: Lake,
  range: TimeRange,
  nowMs: number,
): Promise<(startedMs: number | null, namedAtMs: number) => GhostReason> {
  const whole = await readAbsence(lake, null, nowMs);
  return (startedMs, namedAtMs) => ghostReason(whole, range, startedMs, namedAtMs);
}

/** @param whole of all days that the lake knows */
export function ghostReason(
  whole: Absence,
  looked: TimeRange,
  startedMs: number | null,
  namedAtMs: number,
): GhostReason {
  const firstMs = whole.range?.startMs ?? namedAtMs;
  const isUnproven = (startMs: number, endMs: number) =>
    whole.unproven.some((days) => days.startMs < endMs && startMs < days.endMs);
  if (startedMs === null) {
    if (isUnproven(looked.startMs, namedAtMs + 1)) return 'not-fetched';
    return looked.startMs > firstMs ? 'outside' : 'before-or-not-at-api';
  }
  if (startedMs < firstMs) return 'before';
  if (isUnproven(startedMs, startedMs + 1)) return 'not-fetched';
  return startedMs < looked.startMs ? 'outside' : 'not-at-api';
}

function textOf(value: QueryValue | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}

async function rowsOf(lake: Lake, sql: string, signal: AbortSignal): Promise<(readonly QueryValue[])[]> {
  const rows: (readonly QueryValue[])[] = [];
  for await (const chunk of (await lake.query(sql, { signal })).rows) rows.push(...chunk);
  return rows;
}
