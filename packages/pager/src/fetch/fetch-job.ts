import { EdrlakeError, type FetchedWindow, type PlannedWindow, toEdrlakeError, type Window } from '@edrlake/core';
import { isAboutQuestion } from '../plan/plan-windows.ts';
import { fieldTable } from '../scan/field-table.ts';
import { scanPage } from '../scan/page-scanner.ts';
import { addListed, type DividedWindow, partsDone } from './divided-window.ts';
import { type FailedWindow, failedWindow } from './failed-window.ts';
import { isFatal, type WindowFetching } from './fetch-pages.ts';
import { fetchWindow, type WindowOutcome } from './fetch-window.ts';

/** Rounds in which a window is split into windows that are split again, after which the source contradicts itself. */
const MAX_SPLIT_DEPTH = 4;

/** A window to fetch. */
export interface Job {
  readonly planned: PlannedWindow;
  /** How often a window that it was part of was split before. */
  readonly depth: number;
  /** The window that it is part of, where answers to that one had come before it was split. */
  readonly divided?: DividedWindow;
}

/**
 * Fetches one window to its end. Parts of a window of which answers had come are held until the last one is done.
 * @throws {EdrlakeError} what ends everything
 */
export async function fetchJob(
  fetching: WindowFetching,
  job: Job,
  answers: { hasCome: boolean },
  onBytes: (bodyBytes: number) => void,
): Promise<{ done: (FetchedWindow | FailedWindow)[]; parts: Job[] }> {
  const { planned, depth, divided } = job;
  const outcome = await fetchWindow(fetching, planned, onBytes);
  if (outcome.type === 'split' && depth < MAX_SPLIT_DEPTH) return divide(fetching, job, outcome);
  const done = await doneWindow(fetching, planned, outcome, answers);
  if (divided === undefined) return { done: [done], parts: [] };
  return { done: await partsDone(fetching, divided, [done], outcome.pages), parts: [] };
}

async function doneWindow(
  fetching: WindowFetching,
  planned: PlannedWindow,
  outcome: WindowOutcome,
  answers: { hasCome: boolean },
): Promise<FetchedWindow | FailedWindow> {
  if (outcome.type === 'fetched') return outcome.fetched;
  if (outcome.type === 'split') return failedWindow(fetching, planned, outgrown(), null);
  const { error, partial } = outcome;
  const mayBeAll = isAboutQuestion(error) && planned.window.cuts.length === 0 && partial === null;
  if (mayBeAll && !answers.hasCome) answers.hasCome = await isAnsweredElsewhere(fetching, planned.window);
  if (mayBeAll && !answers.hasCome) throw error;
  return failedWindow(fetching, planned, error, partial);
}

/** The parts of a window, as jobs of their own. */
async function divide(
  fetching: WindowFetching,
  { planned, depth, divided: whole }: Job,
  { into, pages, answered }: Extract<WindowOutcome, { type: 'split' }>,
): Promise<{ done: (FetchedWindow | FailedWindow)[]; parts: Job[] }> {
  const { windows, emptyWindows, uncounted } = into;
  const done = uncounted.map(({ error, ...part }) => failedWindow(fetching, part, error, null));
  const parts = [...windows, ...emptyWindows.map((window) => ({ window, count: 0 }))];
  const hasListed = answered.some(({ ids }) => ids.length > 0);
  // A part with the same range has the same files.
  const isKept = hasListed && parts.every(({ window }) => window.id !== planned.window.id);
  if (!isKept) await fetching.spool.removeWindow(planned.window.id);
  const divided =
    whole ?? (hasListed ? { planned, missing: new Set<string>(), came: [], done: [], open: 1 } : undefined);
  const jobs = parts.map((part): Job => ({ planned: part, depth: depth + 1, ...(divided && { divided }) }));
  if (divided === undefined) return { done, parts: jobs };
  addListed(divided, { planned, pages: isKept ? pages : [] }, answered);
  divided.open += parts.length;
  return { done: await partsDone(fetching, divided, done, []), parts: jobs };
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
