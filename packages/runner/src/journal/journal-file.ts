import { type FileHandle, open, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { appendDurable, EdrlakeError, errnoOf, makeFolder, syncPath } from '@edrlake/core';

/** One line of a journal, as far as every reader knows it. */
export interface AnyLine {
  readonly type: string;
}

/** The journal of a run, open for appending. */
export interface JournalFile<Line extends AnyLine> {
  /** Resolves when the line is on disk. Lines of concurrent calls are written one after the other. */
  append(line: Line): Promise<void>;
  /** Resolves when what was appended is written and the file is closed. */
  close(): Promise<void>;
}

/**
 * Opens the journal `<runs>/<run-id>.jsonl`. A crash leaves at most one torn line at its end: the next line starts
 * after a line break, and readers skip the torn one.
 * @param mode `new`: there must be none; `continue`: it is created where it is missing
 * @throws {EdrlakeError} `RUN_BUSY` when a new run finds its journal in place; `LAKE_UNWRITABLE` when the folder
 * refuses.
 */
export async function openJournal<Line extends AnyLine>(
  runsDirectory: string,
  runId: string,
  mode: 'new' | 'continue',
): Promise<JournalFile<Line>> {
  const { file, isEmpty } = await openFile(runsDirectory, runId, mode);
  let tail: Promise<void> = Promise.resolve();
  let mayBeTorn = !isEmpty;
  return {
    append: (line) => {
      tail = tail.then(async () => {
        await appendDurable(file, `${mayBeTorn ? '\n' : ''}${JSON.stringify(line)}\n`);
        mayBeTorn = false;
      });
      return tail;
    },
    close: async () => {
      // The caller of the append that failed has the error already.
      await tail.catch(() => {});
      await file.close();
    },
  };
}

/**
 * The lines of the journal of a run, oldest first; empty without a journal. A torn line is left out: no step relied on
 * it.
 * @throws {EdrlakeError} `RUN_MISSING` when the file cannot be read, or `runId` is not the id of a run
 */
export async function readJournal(runsDirectory: string, runId: string): Promise<readonly AnyLine[]> {
  const text = await readFile(journalPath(runsDirectory, runId), 'utf8').catch((cause: unknown) => {
    if (['ENOENT', 'ENOTDIR'].includes(errnoOf(cause))) return '';
    throw new EdrlakeError('RUN_MISSING', `the journal of run ${runId} cannot be read`, { cause });
  });
  const lines: AnyLine[] = [];
  for (const line of text.split('\n')) {
    if (line === '') continue;
    try {
      const parsed: unknown = JSON.parse(line);
      if (typeof parsed === 'object' && parsed !== null && 'type' in parsed && typeof parsed.type === 'string') {
        lines.push(parsed as AnyLine);
      }
    } catch {
      // The line that was being written when the process died.
    }
  }
  return lines;
}

/** The ids of runs with a journal, newest first: an id begins with its time. Empty without the folder. */
export async function listRunIds(runsDirectory: string): Promise<string[]> {
  const names = await readdir(runsDirectory).catch(() => [] as string[]);
  return names
    .filter((name) => name.endsWith('.jsonl'))
    .map((name) => name.slice(0, -'.jsonl'.length))
    .filter((runId) => RUN_ID.test(runId))
    .sort()
    .reverse();
}

/** Removes the journal of a run that did nothing. */
export async function removeJournal(runsDirectory: string, runId: string): Promise<void> {
  await rm(journalPath(runsDirectory, runId), { force: true });
}

async function openFile(
  runsDirectory: string,
  runId: string,
  mode: 'new' | 'continue',
): Promise<{ readonly file: FileHandle; readonly isEmpty: boolean }> {
  try {
    await makeFolder(runsDirectory);
    const file = await open(journalPath(runsDirectory, runId), mode === 'new' ? 'ax' : 'a');
    const isEmpty = (await file.stat()).size === 0;
    // Some file systems refuse to sync a folder; the sync of the file is what they offer.
    if (isEmpty) await syncPath(runsDirectory).catch(() => undefined);
    return { file, isEmpty };
  } catch (cause) {
    if (cause instanceof EdrlakeError) throw cause;
    if (errnoOf(cause) === 'EEXIST') {
      throw new EdrlakeError('RUN_BUSY', `there is already a run ${runId}`, {
        cause,
        hint: 'Resume it, or start another.',
      });
    }
    throw new EdrlakeError('LAKE_UNWRITABLE', `the journal of run ${runId} cannot be written`, {
      cause,
      context: { runsDirectory },
      hint: 'Check that the lake exists, is writable and has free space.',
    });
  }
}

const RUN_ID = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,127}$/;

function journalPath(runsDirectory: string, runId: string): string {
  if (!RUN_ID.test(runId)) {
    throw new EdrlakeError('RUN_MISSING', `"${runId}" is not the id of a run`, {
      hint: 'List them with their ids: edrlake runs',
    });
  }
  return join(runsDirectory, `${runId}.jsonl`);
}
