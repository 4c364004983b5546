import { listRunIds } from '../journal/journal-file.ts';
import { type JournalLine, readExportLines } from './journal.ts';

/** The journal of an earlier export. */
export interface EarlierRun {
  readonly runId: string;
  readonly lines: readonly JournalLine[];
}

/** What a run says to a question. undefined: the next older run is asked. null: there is no answer. */
export type RunQuestion<Answer> = (run: EarlierRun) => Promise<Answer | null | undefined> | Answer | null | undefined;

/** Journals looked at, newest first. */
const MAX_JOURNALS_READ = 50;

/**
 * Asks runs, newest first, until every question has its answer. A journal is read once for all questions, and only one
 * is in memory at a time.
 * @returns the answers in the order of the questions; null also where all runs were asked
 */
export async function askNewestRuns<Answers extends readonly unknown[]>(
  runsDirectory: string,
  ...questions: { readonly [K in keyof Answers]: RunQuestion<Answers[K]> }
): Promise<{ readonly [K in keyof Answers]: Answers[K] | null }> {
  const answers = new Map<number, unknown>();
  for (const runId of (await listRunIds(runsDirectory)).slice(0, MAX_JOURNALS_READ)) {
    const run = { runId, lines: await readExportLines(runsDirectory, runId) };
    for (const [index, question] of questions.entries()) {
      if (answers.has(index)) continue;
      const answer = await question(run);
      if (answer !== undefined) answers.set(index, answer);
    }
    if (answers.size === questions.length) break;
  }
  return questions.map((_, index) => answers.get(index) ?? null) as { [K in keyof Answers]: Answers[K] | null };
}
