import { join } from 'node:path';
import { numberText, tableText } from '../figures/text.ts';
import type { Contestant } from './rounds.ts';
import { freshFolder, type Stage } from './stage.ts';
import { type StoredRows, storedRows } from './stored-rows.ts';

/** What a second run made of a folder, after a first that ended or was killed. */
export interface Outcome {
  readonly stored: StoredRows;
  /** Pages that the second run asked for. */
  readonly pages: number;
}

/** What a contestant does when it is run twice, and when it is killed and run again. */
export interface Behaviour {
  readonly twice: Outcome;
  readonly killed: Outcome;
}

const POLL_MS = 20;

/**
 * Runs a contestant twice into one folder; then kills it when half of the pages were served, and runs it again.
 * @param pages how many there are
 */
export async function behaviourOf(
  stage: Stage,
  name: string,
  contestant: Contestant,
  pages: number,
): Promise<Behaviour> {
  const folder = await freshFolder(stage, name);
  await contestant.run(stage, folder);
  const twice = await runAgain(stage, folder, contestant);
  await freshFolder(stage, name);
  await stage.gateway.take();
  const killing = new AbortController();
  let hasEnded = false;
  const running = contestant.run(stage, folder, killing.signal).finally(() => {
    hasEnded = true;
  });
  let served = 0;
  while (served < pages / 2 && !hasEnded) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    served += (await stage.gateway.take()).pages.length;
  }
  killing.abort();
  await running;
  return { twice, killed: await runAgain(stage, folder, contestant) };
}

async function runAgain(stage: Stage, folder: string, { run, layout }: Contestant): Promise<Outcome> {
  await stage.gateway.take();
  await run(stage, folder);
  const { pages } = await stage.gateway.take();
  return { stored: await storedRows(join(folder), layout), pages: pages.length };
}

/** One line a contestant. @param right the rows that there are */
export function behaviourText(
  behaviours: Readonly<Record<string, Behaviour>>,
  right: StoredRows,
  pages: number,
): string {
  const rows = Object.entries(behaviours).flatMap(([name, { twice, killed }]) =>
    Object.entries({ 'run twice': twice, 'killed at half, run again': killed }).map(([what, outcome]) => [
      `${name}, ${what}`,
      numberText(outcome.stored.rows.events ?? 0),
      Object.entries(right.rows).every(([table, count]) => outcome.stored.rows[table] === count) ? 'right' : 'wrong',
      `${numberText(outcome.pages)} of ${numberText(pages)}`,
    ]),
  );
  return tableText(['', 'events', 'all rows', 'pages the second run asked for'], rows);
}
