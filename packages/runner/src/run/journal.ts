import type { ProcessOwner, SpooledPage } from '@edrlake/core';
import { type AnyLine, type JournalFile, readJournal } from '../journal/journal-file.ts';
import type { RunPlan } from './run-context.ts';
import type { ExportReport, ExportSelection, PartOf } from './types.ts';

/** The identity of a run: only a run with an equal subject is resumed. */
export interface RunSubject {
  readonly source: string;
  /** The configured page size, even if the gateway gives smaller pages. */
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
      /** Absent if a user started this export. */
      readonly partOf?: PartOf;
    }
  | ({ readonly type: 'plan'; readonly atMs: number } & RunPlan)
  | { readonly type: 'page'; readonly atMs: number; readonly page: SpooledPage }
  | {
      /** The gateway gives smaller pages than the subject asks for: the page size from here on. */
      readonly type: 'page-size';
      readonly atMs: number;
      readonly pageSize: number;
      /** When this run or an earlier one found it out. */
      readonly learnedAtMs: number;
    }
  | {
      /** The gateway pages less far than the settings say: the result window from here on. */
      readonly type: 'result-window';
      readonly atMs: number;
      /** As in the settings: with others it has to be learned again. */
      readonly asked: number;
      readonly resultWindow: number;
      readonly learnedAtMs: number;
    }
  | { readonly type: 'commit'; readonly atMs: number; readonly version: number; readonly windowIds: readonly string[] }
  | { readonly type: 'window-failed'; readonly windowId: string; readonly code: string; readonly message: string }
  | { readonly type: 'stop'; readonly atMs: number; readonly code: string; readonly message: string }
  | { readonly type: 'finish'; readonly atMs: number; readonly report: ExportReport };

/** The journal of an export, open for appending. */
export type RunJournal = JournalFile<JournalLine>;

/** The lines of the journal of an export. Lines of pipelines, and lines of another shape, are left out. */
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
