import { countText, instantText } from '@edrlake/core';
import type { DayCoverage } from '@edrlake/lake';
import { type FailedWindow, type LastReconciliation, type Loss, lossText } from '@edrlake/runner/history';
import type { DayState } from '@edrlake/runner/states';

/** What is known of one day. */
export interface DayFacts {
  readonly state: DayState;
  /** null where nothing of it was ever fetched. */
  readonly line: DayCoverage | null;
  readonly compared: LastReconciliation | null;
  /** Windows of the day that a run asked for and could not prove, and nothing has proven since. */
  readonly failed: readonly FailedWindow[];
  /** Files of the day that are gone or cut. */
  readonly lost: readonly string[];
  /** What the files that are there hold now, rejects included. */
  readonly stored: number;
  /** Up to where the lake was synced without a gap, by processing time. */
  readonly followedUntilMs: number | null;
  /** When it can no longer be fetched whole; null where there is time enough, or it is not known. */
  readonly loss: Loss | null;
}

/** Lost files and failed windows named one by one. */
const NAMED = 3;

/** Why a day is in its state: sentences with the numbers that say so, the cause first. */
export function explainDay(facts: DayFacts): string[] {
  const { line, compared, failed, lost, stored } = facts;
  const sentences = [causeOf(facts)];
  if (facts.loss !== null) sentences.push(lossSentence(facts.loss));
  if (lost.length > 0) {
    const more = lost.length > NAMED ? ` and ${countText(lost.length - NAMED)} more` : '';
    sentences.push(`Gone or cut: ${lost.slice(0, NAMED).join(', ')}${more}.`);
  }
  sentences.push(...failed.slice(0, NAMED).map(failedText));
  if (failed.length > NAMED) sentences.push(`${countText(failed.length - NAMED)} more windows failed.`);
  if (line !== null && line.counted !== null) sentences.push(countsOf(line, lost, stored));
  if (line !== null && line.rejected + line.undated > 0) {
    sentences.push(`${countText(line.rejected + line.undated)} records could not become rows.`);
  }
  const recount = line?.recount;
  if (recount !== undefined) {
    const found = `it had ${countText(recount.counted)}, the lake ${countText(recount.held)}`;
    sentences.push(`Counted again at ${atSecond(recount.countedAtMs)}: ${found}.`);
  }
  if (compared !== null && compared.atMs !== recount?.countedAtMs) {
    const found = `it had ${countText(compared.inApi)}, ${differenceText(compared.difference)}`;
    sentences.push(`Last compared with the API at ${atSecond(compared.atMs)}: ${found}.`);
  }
  return sentences;
}

function lossSentence(loss: Loss): string {
  const what = loss.hasBegun ? 'The API no longer answers for all of it' : 'The API will not answer for all of it';
  return `${what}: ${lossText(loss)}.`;
}

function failedText({ range, runId, message }: FailedWindow): string {
  const span = `${atSecond(range.startMs)} to ${atSecond(range.endMs)}`;
  return `The window ${span} failed in the run ${runId}: ${message.replace(/\.$/, '')}.`;
}

function countsOf({ counted, inLake, verdict }: DayCoverage, lost: readonly string[], stored: number): string {
  const byApi = countText(counted ?? 0);
  // The log still has the rows of files that are gone.
  if (lost.length > 0) return `The API counted ${byApi}, the files that are left hold ${countText(stored)}.`;
  // A failed window may have left some of its pages in the lake; its own count is no proof, and not in the number.
  if (verdict === 'partial') {
    return `In what is proven the API counted ${byApi}. The lake holds ${countText(inLake)} of the whole day.`;
  }
  return `The API counted ${byApi}, the lake holds ${countText(inLake)}.`;
}

/** @param difference what the lake has more than the API */
function differenceText(difference: number): string {
  if (difference === 0) return 'as many as the lake';
  return `${countText(Math.abs(difference))} ${difference < 0 ? 'more' : 'fewer'} than the lake`;
}

function causeOf({ state, line, compared, failed, lost, followedUntilMs }: DayFacts): string {
  switch (state) {
    case 'mismatched':
      if (lost.length > 0) return 'Data files of this day are no longer as they were committed.';
      if (compared?.verdict === 'duplicate') return 'Some events of this day are stored more than once.';
      return 'The lake does not hold what the API counted.';
    case 'rejected':
      return 'Everything was delivered, but too many of its records could not become rows.';
    case 'missing':
      return 'The lake has lost events of this day that it held.';
    case 'late':
      return 'The API has gained events since the day was fetched.';
    case 'unverified':
      return 'The API counted nothing in some of the day, and no empty page has confirmed it.';
    case 'partial':
      if (failed.length > 0) return 'Some of the day could not be fetched.';
      return 'Some of the day was never proven: it was not fetched, or was fetched before it had settled.';
    case 'unplanned':
      return 'Nothing of this day was ever fetched.';
    case 'open':
      return 'The day is not over, or has not settled yet: more of it will come.';
    case 'complete':
      if (line?.verdict === 'complete') return 'Proven windows cover all of the day, counted after it had settled.';
      if (compared?.verdict === 'match') return 'The API and the lake had the same number after the day had settled.';
      return `The lake was synced over all of the day without a gap, up to ${atSecond(followedUntilMs ?? 0)}.`;
  }
}

function atSecond(epochMs: number): string {
  return instantText(Math.floor(epochMs / 1_000) * 1_000);
}
