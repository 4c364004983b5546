import { join } from 'node:path';
import { EdrlakeError, NO_FILTER, sum, type TimeAxis, toEdrlakeError } from '@edrlake/core';
import { isAboutQuestion } from '@edrlake/pager';
import { askNewestRuns, type RunQuestion } from '../run/newest-runs.ts';
import { knownClocks } from '../run/read-clocks.ts';
import type { RunContext } from '../run/run-context.ts';
import type { Services } from '../run/types.ts';

/**
 * Why the zeros of a plan prove nothing, though the pages that confirm them may be empty too: one cause can give both.
 * A gateway that has lost its data for a while counts no event of any time, where the lake holds proven ones, or where
 * it has just counted some for the plan, or for an earlier run. A platform that does not know the name of the time
 * selects no event by it, in counts and pages alike. One request shows that neither is so; others follow only where the
 * API counts nothing by that time. It is made between the counts and the pages, so that data which is lost throughout
 * both is lost for it as well. null where nothing speaks for a doubt.
 * @param hasCounted whether the API has counted events for the plan, or some of it could not be counted
 */
export async function doubtOfZeros(
  { source, lake, request, services }: RunContext,
  hasCounted: boolean,
): Promise<EdrlakeError | null> {
  if (request.isApiCounting === true) return null;
  const { axis } = request;
  const { signal } = services;
  const range = { startMs: 0, endMs: knownClocks(source, services).latestMs };
  const countOfAnyTime = () => source.count({ axis, range, cuts: [], scope: NO_FILTER }, signal);
  try {
    if ((await countOfAnyTime()) > 0) return null;
    if (hasCounted) return (await countOfAnyTime()) > 0 ? null : vanished();
    const { anyTime } = source;
    const events = (await anyTime?.count(signal)) ?? 0;
    if (anyTime !== undefined && events > 0) {
      // One of the two numbers may be the wrong one.
      return (await countOfAnyTime()) > 0 ? null : unknownToken(anyTime.tokenOf(axis), events);
    }
    const held = await provenEvents(lake, axis);
    return held > 0 ? lostData(held) : await lostSince(source, lake);
  } catch (thrown) {
    signal.throwIfAborted();
    if (['AUTH_REJECTED', 'CUSTOMER_FOREIGN', 'REQUESTS_SPENT'].includes(toEdrlakeError(thrown).code)) throw thrown;
    // One that is never answered says nothing, and the pages decide. One that fails now, where others were counted
    // just before, is the failing gateway whose zeros are in doubt.
    return hasCounted && !isAboutQuestion(toEdrlakeError(thrown)) ? unanswered(toEdrlakeError(thrown)) : null;
  }
}

/**
 * Whether zeros of event time are those of an API that has lost its data: it counts no event of any time, twice, and
 * the lake holds proven ones. Made between counts and pages, as above.
 */
export async function hasLostData(
  { source, lake }: Pick<RunContext, 'source' | 'lake'>,
  services: Pick<Services, 'clock' | 'signal'>,
): Promise<boolean> {
  const range = { startMs: 0, endMs: knownClocks(source, services).latestMs };
  const everything = { axis: 'event', range, cuts: [], scope: NO_FILTER } as const;
  for (let answers = 0; answers < 2; answers += 1) {
    if ((await source.count(everything, services.signal)) > 0) return false;
  }
  return (await provenEvents(lake, 'event')) > 0;
}

async function provenEvents(lake: RunContext['lake'], axis: TimeAxis): Promise<number> {
  const { proofs } = await lake.snapshot();
  return sum(proofs, ({ window, verdict, distinct }) => (window.axis === axis && verdict === 'proven' ? distinct : 0));
}

/** Asks whether a run, which may have died before it stored any, was shown events by the source. */
function showedEvents(source: string): RunQuestion<true> {
  return ({ lines }) => {
    const isOfSource = lines.some((line) => line.type === 'start' && line.subject?.source === source);
    return isOfSource && lines.some((line) => line.type === 'plan' && line.events > 0) ? true : undefined;
  };
}

function unknownToken(token: string, events: number): EdrlakeError {
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    `the API counts ${events} events, but none of any time by the token ${token}, which this platform may spell ` +
      'otherwise: edrlake doctor finds the right one',
    { context: { token, events }, hint: 'Run edrlake doctor: it names the time tokens of this platform.' },
  );
}

function unanswered({ message }: EdrlakeError): EdrlakeError {
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    `the API counted events when the range was planned, but no more after that: ${message}`,
    { hint: 'A search service that restarts answers like that: run it again.' },
  );
}

function vanished(): EdrlakeError {
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    'the API counted events when the range was planned, and none of any time after that',
    { hint: 'A search service that restarts answers like that: run it again.' },
  );
}

async function lostSince(
  source: RunContext['source'],
  { directory }: RunContext['lake'],
): Promise<EdrlakeError | null> {
  const [hasShown] = await askNewestRuns(join(directory, '_runs'), showedEvents(source.name));
  if (hasShown === null) return null;
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    'the API counts no event of any time, but it has counted some for an earlier run',
    { hint: 'A search service that restarts answers like that: run it again.' },
  );
}

function lostData(held: number): EdrlakeError {
  return new EdrlakeError(
    'RESPONSE_UNEXPECTED',
    `the API counts no event of any time, but the lake holds ${held} proven ${held === 1 ? 'event' : 'events'}`,
    {
      context: { held },
      hint: 'A search service that restarts answers like that: run it again. What was proven before stays proven.',
    },
  );
}
