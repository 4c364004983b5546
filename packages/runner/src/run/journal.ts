import type { ProcessOwner, SpooledPage } from '@edrlake/core';
import { type AnyLine, type JournalFile, readJournal } from '../journal/journal-file.ts';
import type { RunPlan } from './run-context.ts';
import type { ExportReport, ExportSelection, PartOf } from './types.ts';

/** What a run is a run of: only a run of exactly this is resumed. */
export interface RunSubject {
  readonly source: string;
  /** As the settings want it, whatever the gateway gives. */
  readonly pageSize: number;
  readonly request: ExportSelection;
}

/** One line of `_runs/<run-id>.jsonl`, in the order things became durable. */
export type JournalLine =
  | {
      readonly type: 'start';
      readonly atMs: number;
      readonly owner: ProcessOwner;
      readonly subject: RunSubject;
      /** Absent where a person made this export. */
      readonly partOf?: PartOf;
    }
  | ({ readonly type: 'plan'; readonly atMs: number } & RunPlan)
  | { readonly type: 'page'; readonly atMs: number; readonly page: SpooledPage }
  | {
      /** The gateway gives smaller pages than the subject's: from here on they are of so many events. */
      readonly type: 'page-size';
      readonly atMs: number;
      readonly pageSize: number;
      /** When that was found out, by this run or an earlier one. */
      readonly learnedAtMs: number;
    }
  | { readonly type: 'commit'; readonly atMs: number; readonly version: number; readonly windowIds: readonly string[] }
  | { readonly type: 'window-failed'; readonly windowId: string; readonly code: string; readonly message: string }
  | { readonly type: 'stop'; readonly atMs: number; readonly code: string; readonly message: string }
  | { readonly type: 'finish'; readonly atMs: number; readonly report: ExportReport };

/** The journal of an export, open for appending. */
export type RunJournal = JournalFile<JournalLine>;

/** The lines of an export's journal; those of pipelines, and what is no such line, are left out. */
export async function readExportLines(runsDirectory: string, runId: string): Promise<readonly JournalLine[]> {
  return (await readJournal(runsDirectory, runId)).filter(isExportLine);
}

function isExportLine(line: AnyLine): line is JournalLine {
  const { type, owner, subject, page } = line as AnyLine & Record<string, unknown>;
  if (type === 'start') return isObject(owner) && isObject(subject);
  return type !== 'page' || isObject(page);
}

function isObject(found: unknown): boolean {
  return typeof found === 'object' && found !== null;
}
