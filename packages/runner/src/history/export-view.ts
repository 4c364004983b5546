import { type ProcessOwner, sum } from '@edrlake/core';
import type { ExportReport, PartOf } from '../run/types.ts';
import type { RunLook } from '../workflow/state/run-state.ts';
import type { RunStatus } from '../workflow/state/run-status.ts';
import type { LostWork } from '../workflow/state/run-view.ts';
import type { RunReport } from './run-report.ts';

/** The lines of an export's journal, as far as the history reads them. */
export interface ExportLine {
  readonly type: string;
  readonly atMs?: number;
  readonly owner?: ProcessOwner;
  readonly partOf?: PartOf;
  readonly planRequests?: number;
  readonly code?: string;
  readonly message?: string;
  readonly report?: ExportReport;
}

/** What one process did in an export: its lines from its start to the start of the next process. */
interface Leg {
  readonly partOf: PartOf | null;
  /** null if the process did not finish the export. */
  readonly report: ExportReport | null;
  /** From its report, else from its plan and its pages. A page that never reached the disk is not counted. */
  readonly requests: number;
  readonly activeMs: number;
  readonly lastAtMs: number;
  /** Neither an end nor a reason: the process was killed, or it is running. */
  readonly isOpen: boolean;
}

/** An export as the history shows it; null for a journal without its first line. */
export function viewExport(
  runId: string,
  lines: readonly ExportLine[],
  isAlive: RunLook['isOwnerAlive'],
): RunReport | null {
  const legs = legsOf(lines);
  const first = lines.find(({ type }) => type === 'start');
  if (first?.atMs === undefined) return null;
  const last = lines.at(-1);
  const owner = lines.findLast(({ type }) => type === 'start')?.owner;
  // An export in which windows failed is resumed after it has finished.
  const reports = legs.flatMap(({ report }) => report ?? []);
  const state = exportStanding(last, owner !== undefined && isAlive(owner));
  const requests = sum(legs, (leg) => leg.requests);
  return {
    runId,
    kind: 'export',
    pipeline: null,
    partOf: first.partOf?.runId ?? null,
    state,
    startedAtMs: first.atMs,
    endedAtMs:
      state === 'running' ? null : legs.reduce((newest, { lastAtMs }) => Math.max(newest, lastAtMs), first.atMs),
    durationMs: sum(legs, ({ activeMs }) => activeMs),
    requests: reports.length === 0 && requests === 0 ? null : requests,
    rows: reports.length === 0 ? null : reports.reduce((sum, { events }) => sum + events.new + events.changed, 0),
    error: last?.type === 'stop' ? { code: last.code ?? 'BUG', message: last.message ?? '' } : null,
    params: {},
    workflow: null,
    starts: legs.length,
    tasks: [],
    hooks: [],
  };
}

/** The work of processes in an export that they did not finish, with the pipeline runs that they worked for. */
export function lostWork(lines: readonly ExportLine[]): readonly (LostWork & { readonly partOf: PartOf })[] {
  return legsOf(lines).flatMap(({ partOf, report, requests, activeMs, lastAtMs, isOpen }) =>
    partOf === null || report !== null
      ? []
      : [{ partOf, requests, activeMs: isOpen ? activeMs : 0, lastAtMs: isOpen ? lastAtMs : 0 }],
  );
}

function exportStanding(last: ExportLine | undefined, alive: boolean): RunStatus {
  if (last?.report !== undefined) return last.report.outcome;
  if (last?.type === 'stop') return last.code === 'INTERRUPTED' ? 'interrupted' : 'failed';
  return alive ? 'running' : 'died';
}

function legsOf(lines: readonly ExportLine[]): readonly Leg[] {
  const legs: ExportLine[][] = [];
  for (const line of lines) {
    if (line.type === 'start') legs.push([line]);
    else legs.at(-1)?.push(line);
  }
  return legs.map(legOf);
}

function legOf(lines: readonly ExportLine[]): Leg {
  const report = lines.findLast((line) => line.report !== undefined)?.report ?? null;
  const pages = lines.filter(({ type }) => type === 'page').length;
  const planned = sum(lines, ({ planRequests = 0 }) => planRequests);
  const times = lines.flatMap(({ atMs }) => atMs ?? []);
  const lastAtMs = Math.max(0, ...times.slice(-1));
  return {
    partOf: lines[0]?.partOf ?? null,
    report,
    requests: report?.requestsMade ?? pages + planned,
    activeMs: lastAtMs - (times[0] ?? lastAtMs),
    lastAtMs,
    isOpen: report === null && lines.at(-1)?.type !== 'stop',
  };
}
