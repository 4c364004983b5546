import { type FileHandle, open, readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ProcessOwner, SpooledPage } from '@edrlake/core';
import type { ExportReport, ExportRequest, PartOf } from './export-types.ts';
import type { RunPlan } from './run-types.ts';

/** What a run is a run of: only a run of exactly this is resumed. */
export interface RunSubject {
  readonly source: string;
  /** As the settings want it, whatever the gateway gives. */
  readonly pageSize: number;
  readonly request: ExportRequest;
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

/** The journal of a run, open for appending. Every line is on disk when `append` resolves. */
export interface RunJournal {
  readonly runId: string;
  append(line: JournalLine): Promise<void>;
  close(): Promise<void>;
}

/** Opens (or creates) the journal of a run. A line torn by a crash is closed, so that what follows stays readable. */
export async function openJournal(runsDirectory: string, runId: string): Promise<RunJournal> {
  const file = await open(join(runsDirectory, `${runId}.jsonl`), 'a');
  await file.appendFile('\n');
  let tail: Promise<void> = Promise.resolve();
  return {
    runId,
    // Lines from concurrent pages queue up behind each other, so that none is torn.
    append: (line) => {
      tail = tail.then(() => appendDurably(file, line));
      return tail;
    },
    close: async () => {
      await tail.catch(() => {});
      await file.close();
    },
  };
}

async function appendDurably(file: FileHandle, line: JournalLine): Promise<void> {
  await file.appendFile(`${JSON.stringify(line)}\n`);
  await file.datasync();
}

/** The lines of one journal, oldest first. A torn line, as a crash leaves it, is left out: nothing ever relied on it. */
export async function readJournal(path: string): Promise<JournalLine[]> {
  const text = await readFile(path, 'utf8');
  const lines: JournalLine[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const found: unknown = JSON.parse(line);
      // What is no line of ours says nothing; a journal is changed by no one else.
      if (isLine(found)) lines.push(found);
    } catch {
      // The line that was being written when a process died.
    }
  }
  return lines;
}

function isLine(found: unknown): found is JournalLine {
  if (typeof found !== 'object' || found === null) return false;
  const { type, owner, subject, page } = found as Record<string, unknown>;
  if (type === 'start') return isObject(owner) && isObject(subject);
  return typeof type === 'string' && (type !== 'page' || isObject(page));
}

function isObject(found: unknown): boolean {
  return typeof found === 'object' && found !== null;
}

/** Run ids with a journal, newest first: ids begin with the time they were made. */
export async function listRunIds(runsDirectory: string): Promise<string[]> {
  const names = await readdir(runsDirectory).catch(() => [] as string[]);
  return names
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => name.slice(0, -'.jsonl'.length))
    .sort()
    .reverse();
}
