import {
  type Cell,
  type Dataset,
  dayOf,
  EdrlakeError,
  type EventSource,
  MS_PER_DAY,
  toEdrlakeError,
} from '@edrlake/core';
import { flattenOne } from '@edrlake/flattener';
import { DETAILS_AT, type EventDetails, type Lake } from '@edrlake/lake';
import { isFatal } from '@edrlake/pager';
import type { RunServices } from '../run/types.ts';
import { type AbsentDetails, absentDetails, rememberAbsent } from './absent-details.ts';

/** Which stored events get their details. */
export interface EnrichRequest {
  /** A condition on `events`, in SQL. */
  readonly where: string;
  /** Events, the newest first; null: all. */
  readonly limit: number | null;
  /** Requests that may be sent; null: as many as it takes. */
  readonly maxRequests: number | null;
  /** Requests at once. */
  readonly concurrency: number;
}

/** What came of it. */
export interface EnrichReport {
  /** `partly`: events that the condition selects are left. */
  readonly outcome: 'done' | 'partly';
  /** Events that have details now. */
  readonly enriched: number;
  /** Events that another command gave details, or moved to another day, while this one asked. */
  readonly skipped: number;
  /** Events that the API does not have any more (404). They are not asked for again for 30 days. */
  readonly absent: number;
  /** Answers that are no event, or another one; not asked for again for 30 days either. */
  readonly unusable: number;
  /** Requests that failed after all attempts. */
  readonly failed: number;
  /** Events that the condition selects and that were not asked for, those known to be absent not counted. */
  readonly left: number;
  readonly commits: number;
  readonly requests: number;
}

/** What enriching works with. */
export interface EnrichEnds {
  readonly source: EventSource;
  readonly lake: Lake;
  requestsMade(): number;
}

/** Events of one commit: a killed run asks for no more than these again. */
const COMMIT_EVENTS = 100;

/** Failed or unusable answers in a row after which the API is left alone: an outage costs few events their turn. */
const MAX_FAILURES = 3;

/** How long what the API did not have is not asked for. */
const ABSENT_MS = 30 * MS_PER_DAY;

interface Candidate {
  readonly eventId: string;
  readonly agentId: string;
  readonly eventMs: number;
  readonly day: string;
}

type Answer = { readonly details: EventDetails } | { readonly isAbsent: boolean } | { readonly failure: EdrlakeError };

/**
 * Asks the API for single stored events that have no details yet, the newest first, and adds what it says to their
 * rows. What is committed stays: killed or stopped at any point, the next call goes on with the events that are left.
 * @throws {EdrlakeError} `USAGE` for an API without details, `QUERY_FAILED` for a condition that is none,
 * `INTERRUPTED`, and what ends every request, such as `ACCESS_DENIED`, or was the answer to all of them; what was
 * fetched before is committed
 */
export async function enrich(
  { source, lake, requestsMade }: EnrichEnds,
  { where, limit, maxRequests, concurrency }: EnrichRequest,
  services: RunServices,
): Promise<EnrichReport> {
  if (source.details === undefined) {
    throw new EdrlakeError('USAGE', `the API of ${lake.dataset.name} has no details of single events`, {
      hint: 'Its lists have all there is.',
    });
  }
  const ask = source.details;
  const began = requestsMade();
  const nowMs = services.clock.nowMs();
  const known = await absentDetails(lake, nowMs - ABSENT_MS);
  const { candidates, total } = await candidatesOf(lake, where, { limit, known }, services.signal);
  const counts = { enriched: 0, skipped: 0, absent: 0, unusable: 0, failed: 0, commits: 0, asked: 0 };
  const fresh: AbsentDetails = new Map();
  let pending: EventDetails[] = [];
  let fatal: unknown = null;
  const commit = async () => {
    const some = pending;
    pending = [];
    if (some.length === 0) return;
    const { events, skipped, version } = await lake.addDetails(some, {
      runId: services.newRunId,
      atMs: services.clock.nowMs(),
    });
    counts.enriched += events;
    counts.skipped += skipped;
    if (version !== null) counts.commits += 1;
  };
  let failuresInRow = 0;
  let refused: EdrlakeError | null = null;
  for (let at = 0; at < candidates.length && fatal === null && failuresInRow < MAX_FAILURES; ) {
    const allowed = maxRequests === null ? concurrency : maxRequests - (requestsMade() - began);
    // Requests that were repeated may have taken more than was left.
    const group = candidates.slice(at, at + Math.max(0, Math.min(concurrency, allowed)));
    if (group.length === 0) break;
    at += group.length;
    const answers = await Promise.all(group.map((one) => answerOf(ask, lake.dataset, one, services)));
    for (const [index, answer] of answers.entries()) {
      const isUseful = 'details' in answer || ('isAbsent' in answer && answer.isAbsent);
      failuresInRow = isUseful ? 0 : failuresInRow + 1;
      if ('details' in answer) pending.push(answer.details);
      else if ('isAbsent' in answer) {
        counts[answer.isAbsent ? 'absent' : 'unusable'] += 1;
        fresh.set(group[index]?.eventId ?? '', nowMs);
      } else if (isFatal(answer.failure) || services.signal.aborted) fatal ??= answer.failure;
      else {
        counts.failed += 1;
        if (answer.failure.disposition === 'stop') refused = answer.failure;
      }
      if (!('failure' in answer)) counts.asked += 1;
    }
    if (pending.length >= COMMIT_EVENTS) await commit();
  }
  await commit();
  if (fresh.size > 0) await rememberAbsent(lake, fresh, services.newRunId);
  // One event that is refused is left for the next time; where all are, the reason has to be seen.
  if (refused !== null && (counts.asked === 0 || failuresInRow >= MAX_FAILURES)) fatal ??= refused;
  if (fatal !== null) throw fatal;
  const { asked, ...others } = counts;
  const left = total - asked;
  return { ...others, outcome: left > 0 ? 'partly' : 'done', left, requests: requestsMade() - began };
}

/** The newest events first. @returns `total` without those that the API is known not to have */
async function candidatesOf(
  lake: Lake,
  where: string,
  { limit, known }: { readonly limit: number | null; readonly known: AbsentDetails },
  signal: AbortSignal,
): Promise<{ readonly candidates: readonly Candidate[]; readonly total: number }> {
  const path = `$.${DETAILS_AT.join('.')}`;
  // The condition has lines of its own, so that a comment at its end hides nothing.
  const sql = `SELECT event_id, agent_id, epoch_ms(event_time)::DOUBLE AS at, event_date::VARCHAR AS day
    FROM (FROM events WHERE (
${where}
)) WHERE agent_id IS NOT NULL AND NOT coalesce(json_exists(extra, '${path}'), false) ORDER BY event_time DESC, event_id`;
  const candidates: Candidate[] = [];
  let total = 0;
  for await (const chunk of (await lake.query(sql, { signal })).rows) {
    for (const [eventId, agentId, eventMs, day] of chunk) {
      const one = { eventId: String(eventId), agentId: String(agentId), eventMs: Number(eventMs), day: String(day) };
      if (known.has(one.eventId)) continue;
      total += 1;
      if (limit === null || candidates.length < limit) candidates.push(one);
    }
  }
  return { candidates, total };
}

async function answerOf(
  ask: NonNullable<EventSource['details']>,
  dataset: Dataset,
  candidate: Candidate,
  { signal, clock }: RunServices,
): Promise<Answer> {
  const { eventId, agentId, day } = candidate;
  try {
    const text = await ask(agentId, eventId, signal);
    const rows = flattenOne(dataset, text, dayOf(clock.nowMs()));
    return isAbout(rows.events?.[0], candidate) ? { details: { eventId, day, rows } } : { isAbsent: false };
  } catch (thrown) {
    if (thrown instanceof SyntaxError) return { isAbsent: false };
    const failure = toEdrlakeError(thrown);
    return failure.code === 'NOT_FOUND' ? { isAbsent: true } : { failure };
  }
}

/** Details may have another form of the id, so that time and agent say whether they are of this event. */
function isAbout(event: Readonly<Record<string, Cell>> | undefined, { eventMs, agentId }: Candidate): boolean {
  return event !== undefined && event.event_time === eventMs && (event.agent_id ?? agentId) === agentId;
}
