import { countText, durationText, isoInstant, nounText } from '@edrlake/core';
import type { RunReport, RunSummary, TaskView } from '@edrlake/runner/history';
import { isFinished, type RunStatus, STATUS_MARKS } from '@edrlake/runner/states';
import { atSecond } from '../text/format-numbers.ts';
import { pairsText, tableText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';

const RIGHT = { align: 'right' as const };

/** Parts of a fan-out that went wrong are shown up to this many. */
const SHOWN_PARTS = 10;

const WIDE = 110;

/**
 * Runs as a table, newest first.
 * @param lakeFlags ` --lake DIR --dataset NAME` as far as typed, for the commands to paste
 */
export function runsText(runs: readonly RunSummary[], width: number, lakeFlags: string): string {
  if (runs.length === 0) return `No run yet. Next: edrlake backfill --from … --to …${lakeFlags}\n`;
  // The id begins with the time it started.
  const isWide = width >= WIDE;
  const columns = [
    { title: 'run' },
    { title: 'what' },
    { title: 'state' },
    ...(isWide ? [{ title: 'started' }] : []),
    { title: 'took', ...RIGHT },
    { title: 'requests', ...RIGHT },
    { title: 'rows', ...RIGHT },
  ];
  const rows = runs.map((run) => [
    run.runId,
    run.pipeline ?? run.kind,
    run.state,
    ...(isWide ? [atSecond(run.startedAtMs)] : []),
    durationText(run.durationMs),
    numberText(run.requests),
    numberText(run.rows),
  ]);
  const resumable = runs.find(isResumable);
  const next = [
    `One in full: edrlake runs ID${lakeFlags}`,
    ...(resumable === undefined ? [] : ['Go on with one:', `  ${resumeCommand(resumable)}${lakeFlags}`]),
  ];
  return `${[tableText(columns, rows, width), '', ...next].join('\n')}\n`;
}

/**
 * One run in full: what it is, its tasks in their order, what went wrong, what to type next.
 * @param lakeFlags ` --lake DIR --dataset NAME` as far as typed, for the command to paste
 */
export function runText(run: RunReport, width: number, lakeFlags: string): string {
  const params = Object.entries(run.params).map(([name, value]) => `${name}=${value === null ? '' : String(value)}`);
  const pairs: [string, string][] = [
    ['Run', run.runId],
    ['What', run.pipeline === null ? run.kind : `pipeline ${run.pipeline}`],
    ['State', stateText(run)],
    ['Started', `${atSecond(run.startedAtMs)}${run.starts > 1 ? `, ${countText(run.starts)} times` : ''}`],
    ['Took', durationText(run.durationMs)],
  ];
  if (run.requests !== null) pairs.push(['Requests', countText(run.requests)]);
  if (run.rows !== null) pairs.push(['Rows', `${countText(run.rows)} new or changed`]);
  if (params.length > 0) pairs.push(['Params', params.join(' ')]);
  const parts = [pairsText(pairs, '', width)];
  if (run.tasks.length > 0) parts.push('', tasksText(run.tasks, width));
  parts.push(...errorLines(run, width));
  for (const { hook, delivered, attempts, reason } of run.hooks) {
    const why = reason === null ? '' : `: ${reason}`;
    parts.push('', `${hook}: ${delivered ? 'delivered' : 'not delivered'}, ${nounText(attempts, 'attempt')}${why}`);
  }
  if (isResumable(run)) parts.push('', nextText(run, params.length > 0, lakeFlags));
  return `${parts.join('\n')}\n`;
}

/** A resumed run keeps its parameters: a range that cannot be is the same then. */
function nextText(run: RunReport, hasParams: boolean, lakeFlags: string): string {
  const isWrongRange = run.tasks.some(({ state, error }) => state === 'failed' && error?.code === 'RANGE_INVALID');
  if (!isWrongRange || !hasParams) return `Next: ${resumeCommand(run)}${lakeFlags}`;
  return 'Next: correct the parameters in a new run. A resumed one keeps them.';
}

/** Tasks as a table in the order they run. */
function tasksText(tasks: readonly TaskView[], width: number): string {
  const columns = [
    { title: '' },
    { title: 'task' },
    { title: 'state' },
    { title: 'attempts', ...RIGHT },
    { title: 'took', ...RIGHT },
    { title: 'requests', ...RIGHT },
    { title: 'rows', ...RIGHT },
  ];
  const rows = tasks.map((task) => [
    STATUS_MARKS[task.state],
    task.name,
    partsText(task),
    countText(task.attempts),
    task.attempts === 0 ? '' : durationText(task.durationMs),
    task.requests === 0 ? '' : countText(task.requests),
    task.rows === 0 ? '' : countText(task.rows),
  ]);
  return tableText(columns, rows, width);
}

function partsText({ state, parts }: TaskView): string {
  if (parts === null || parts.length === 0) return state;
  const done = parts.filter((part) => isFinished(part.state)).length;
  return `${state}, ${countText(done)} of ${countText(parts.length)}`;
}

function errorLines(run: RunReport, width: number): string[] {
  const lines: string[] = [];
  for (const task of run.tasks) {
    const bad = task.parts?.filter(({ error, state }) => error !== null && state !== 'done') ?? [];
    for (const { partition, error } of bad.slice(0, SHOWN_PARTS)) {
      if (error !== null)
        lines.push(...wrapWords(`${task.name} ${partition}: ${error.message} [${error.code}]`, width));
    }
    if (bad.length > SHOWN_PARTS) lines.push(`… ${countText(bad.length - SHOWN_PARTS)} more, --json lists all`);
    if (bad.length > 0 || task.error === null) continue;
    const when = isFinished(task.state) ? ', at an earlier attempt' : '';
    lines.push(...wrapWords(`${task.name}${when}: ${task.error.message} [${task.error.code}]`, width));
  }
  if (run.tasks.length === 0 && run.error !== null) {
    lines.push(...wrapWords(`${run.error.message} [${run.error.code}]`, width));
  }
  return lines.length === 0 ? [] : ['', ...lines];
}

function stateText({ state, endedAtMs }: RunSummary): string {
  if (state === 'died') return `died without a word${endedAtMs === null ? '' : `, last seen ${atSecond(endedAtMs)}`}`;
  if (state === 'unknown' && endedAtMs !== null) return `unknown since ${atSecond(endedAtMs)}`;
  return endedAtMs === null ? state : `${state}, ${atSecond(endedAtMs)}`;
}

/** Whether work is left in the run of a pipeline and no process works on it. Those of a server are its own. */
function isResumable({ kind, state, workflow }: RunSummary): boolean {
  return kind === 'pipeline' && workflow === null && RESUMABLE.has(state);
}

const RESUMABLE: ReadonlySet<RunStatus> = new Set(['failed', 'partly', 'interrupted', 'died']);

function resumeCommand({ pipeline, runId }: RunSummary): string {
  return `edrlake run ${pipeline ?? ''} --resume ${runId}`;
}

function numberText(value: number | null): string {
  return value === null ? '' : countText(value);
}

/** A run in a list as plain data with instants as text. */
export function summaryDocument({ startedAtMs, endedAtMs, ...run }: RunSummary): Readonly<Record<string, unknown>> {
  return { ...run, startedAt: isoInstant(startedAtMs), endedAt: endedAtMs === null ? null : isoInstant(endedAtMs) };
}

/** A run in full as plain data with instants as text. */
export function runDocument(run: RunReport): Readonly<Record<string, unknown>> {
  const tasks = run.tasks.map(({ startedAtMs, ...task }) => ({
    ...task,
    startedAt: startedAtMs === null ? null : isoInstant(startedAtMs),
  }));
  return { ...summaryDocument(run), tasks };
}
