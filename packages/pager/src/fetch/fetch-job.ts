import { EdrlakeError, type FetchedWindow, type PlannedWindow, toEdrlakeError, type Window } from '@edrlake/core';
import { isAboutQuestion } from '../plan/plan-windows.ts';
import { fieldTable } from '../scan/field-table.ts';
import { scanPage } from '../scan/page-scanner.ts';
import { isFatal, type WindowFetching } from './fetch-pages.ts';
import { type FailedWindow, fetchWindow } from './fetch-window.ts';

/** Rounds in which a window is split into windows that are split again, after which the source contradicts itself. */
const MAX_SPLIT_DEPTH = 4;

/** A window to fetch. */
export interface Job {
  readonly planned: PlannedWindow;
  /** How often a window that it was part of was split before. */
  readonly depth: number;
}

/** Fetches one window to its end. @throws {EdrlakeError} what ends everything */
export async function fetchJob(
  fetching: WindowFetching,
  { planned, depth }: Job,
  answers: { hasCome: boolean },
  onBytes: (bodyBytes: number) => void,
): Promise<{ done: (FetchedWindow | FailedWindow)[]; parts: Job[] }> {
  const outcome = await fetchWindow(fetching, planned, onBytes);
  switch (outcome.type) {
    case 'fetched':
      return { done: [outcome.fetched], parts: [] };
    case 'failed': {
      const { error, partial } = outcome;
      const mayBeAll = isAboutQuestion(error) && planned.window.cuts.length === 0 && partial === null;
      if (mayBeAll && !answers.hasCome) answers.hasCome = await isAnsweredElsewhere(fetching, planned.window);
      if (mayBeAll && !answers.hasCome) throw error;
      return { done: [failedWindow(fetching, planned, error, partial)], parts: [] };
    }
    case 'split': {
      if (depth >= MAX_SPLIT_DEPTH) return { done: [failedWindow(fetching, planned, outgrown(), null)], parts: [] };
      const { windows, emptyWindows, uncounted } = outcome.into;
      const done = uncounted.map(({ error, ...part }) => failedWindow(fetching, part, error, null));
      const parts = [...windows, ...emptyWindows.map((window) => ({ window, count: 0 }))];
      return { done, parts: parts.map((part) => ({ planned: part, depth: depth + 1 })) };
    }
  }
}

function outgrown(): EdrlakeError {
  return new EdrlakeError(
    'RESULT_WINDOW_EXCEEDED',
    `expected a window that fits after ${MAX_SPLIT_DEPTH} rounds of splitting, it has outgrown its plan again`,
    { hint: 'The data is changing while it is fetched: end the range further in the past.' },
  );
}

/**
 * Whether a page of the first millisecond of a window is answered: then the question was refused for that window alone,
 * and is no fault of the settings. Asked only where nothing has come yet. @throws {EdrlakeError} what ends everything
 */
async function isAnsweredElsewhere(fetching: WindowFetching, { range, ...query }: Window): Promise<boolean> {
  const { source, signal, inTurn } = fetching;
  const elsewhere = { ...query, range: { startMs: range.startMs, endMs: range.startMs + 1 } };
  const known = fieldTable(null, source.idFields);
  const read = (body: AsyncIterable<Uint8Array>) => scanPage(body, { known, write: async () => undefined });
  try {
    const { cursor } = source;
    await inTurn<unknown>(() =>
      cursor === null ? source.page(elsewhere, 0, read, signal) : cursor.page(elsewhere, null, read, signal),
    );
    return true;
  } catch (thrown) {
    signal.throwIfAborted();
    if (isFatal(toEdrlakeError(thrown))) throw thrown;
    return false;
  }
}

function failedWindow(
  { emit }: WindowFetching,
  planned: PlannedWindow,
  error: EdrlakeError,
  partial: FetchedWindow | null,
): FailedWindow {
  const { id: windowId, range } = planned.window;
  emit({ type: 'window-failed', windowId, range, code: error.code, message: error.message });
  return { ...planned, verdict: 'failed', error, partial };
}
