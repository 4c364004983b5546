import { readExportLines } from '../run/journal.ts';

/** How far an export is, from its journal. */
export interface ExportProgress {
  /** Of the newest plan; null before there is one. */
  readonly windows: number | null;
  /** Windows whose proofs are committed. */
  readonly windowsDone: number;
  readonly windowsFailed: number;
  /** Page requests of the plan; null before there is one. */
  readonly pages: number | null;
  readonly pagesDone: number;
  /** Events of the plan; null before there is one. */
  readonly events: number | null;
  readonly pageSize: number;
  /** When the last line was written. */
  readonly lastAtMs: number;
}

/** How far an export is; null for a pipeline, whose tasks say so themselves. */
export async function readProgress(runsDirectory: string, runId: string): Promise<ExportProgress | null> {
  const lines = await readExportLines(runsDirectory, runId);
  const start = lines.findLast((line) => line.type === 'start');
  if (start === undefined) return null;
  const plan = lines.findLast((line) => line.type === 'plan');
  const done = new Set(lines.flatMap((line) => (line.type === 'commit' ? line.windowIds : [])));
  const failed = new Set(lines.flatMap((line) => (line.type === 'window-failed' ? line.windowId : [])));
  const times = lines.flatMap((line) => ('atMs' in line ? line.atMs : []));
  return {
    windows: plan === undefined ? null : plan.windows.length + plan.emptyWindows.length,
    windowsDone: done.size,
    windowsFailed: [...failed].filter((id) => !done.has(id)).length,
    pages: plan?.pages ?? null,
    pagesDone: lines.filter(({ type }) => type === 'page').length,
    events: plan?.events ?? null,
    pageSize: start.subject.pageSize,
    lastAtMs: times.at(-1) ?? start.atMs,
  };
}
