import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openJournal } from '../src/journal/journal-file.ts';
import { askNewestRuns, type EarlierRun } from '../src/run/newest-runs.ts';

let runs: string;
beforeEach(async () => {
  runs = await mkdtemp(join(tmpdir(), 'edrlake-runs-'));
});
afterEach(() => rm(runs, { recursive: true }));

async function addRun(runId: string): Promise<void> {
  const journal = await openJournal(runs, runId, 'new');
  await journal.append({ type: 'stop' });
  await journal.close();
}

/** A question that a run with this id answers, and the runs that were asked. */
function questionFor(runId: string) {
  const asked: EarlierRun[] = [];
  const question = (run: EarlierRun) => {
    asked.push(run);
    return run.runId === runId ? `answer of ${runId}` : undefined;
  };
  return { asked, question };
}

test('runs are asked newest first, each question until it has an answer, with one reading for all questions', async () => {
  for (const runId of ['2026-01-01', '2026-01-02', '2026-01-03']) await addRun(runId);
  const [first, second] = [questionFor('2026-01-03'), questionFor('2026-01-02')];
  expect(await askNewestRuns(runs, first.question, second.question)).toEqual([
    'answer of 2026-01-03',
    'answer of 2026-01-02',
  ]);
  expect(first.asked.map(({ runId }) => runId)).toEqual(['2026-01-03']);
  expect(second.asked.map(({ runId }) => runId)).toEqual(['2026-01-03', '2026-01-02']);
  expect(second.asked[0]?.lines).toBe(first.asked[0]?.lines);
});

test('a journal that no question needs is not read', async () => {
  await mkdir(join(runs, '2026-01-01.jsonl'));
  await addRun('2026-01-02');
  expect(await askNewestRuns(runs, questionFor('2026-01-02').question, () => null)).toEqual([
    'answer of 2026-01-02',
    null,
  ]);
  await expect(askNewestRuns(runs, questionFor('none').question)).rejects.toMatchObject({ code: 'RUN_MISSING' });
});

test('a question that no run answers has the answer null', async () => {
  await addRun('2026-01-01');
  expect(await askNewestRuns(runs, questionFor('none').question)).toEqual([null]);
  expect(await askNewestRuns(join(runs, 'no-folder'), questionFor('none').question)).toEqual([null]);
});
