import { MAX_OTHER_VERSIONS, type OtherVersion, quoteName, type StagedBatch, type WindowProof } from '@edrlake/core';
import type { CommitContext } from '../log/commit-context.ts';
import type { LakeState } from '../log/lake-state.ts';
import { rowsOf } from '../log/table-rows.ts';
import { afterProofs, type LoggedOtherVersion, type VersionsOfEvent } from '../proofs/other-versions.ts';
import { EVENTS } from '../storage/layout.ts';
import { TEMP_TABLES } from './classify-batch.ts';

/** What a commit learns about versions of its events that are not stored. */
export interface MetVersions {
  /** Records of the batch that are not stored because a version with another time is. */
  readonly listed: number;
  /** What the log does not hold yet. */
  readonly news: readonly VersionsOfEvent[];
}

/**
 * Finds the versions that the API lists beside the stored ones, on top of `TEMP.screen`: of another window of the
 * batch, or `dropped` because of a stored version with another event time. A stored version that is replaced by one
 * with another event time is kept in mind as well: the proofs of its own time have counted it. Once an event is stored
 * under another time than before, nothing else of what was known of it holds.
 * @param proofs those that are committed with the batch
 */
export async function findOtherVersions(
  context: CommitContext,
  state: LakeState,
  batch: StagedBatch | null,
  proofs: readonly WindowProof[],
): Promise<MetVersions> {
  if (batch === null) return { listed: 0, news: [] };
  const found = await screened(context, batch);
  const storedOf = new Map(
    found.flatMap(({ version, isListed }) => (isListed ? [[version.eventId, version.stored]] : [])),
  );
  const listed = [
    ...found.filter(({ isListed }) => isListed).map(({ version }) => version),
    ...batch.otherVersions.map((version) => ({ ...version, stored: storedOf.get(version.eventId) ?? version.stored })),
  ];
  const moved = found.filter(({ isListed }) => !isListed).map(({ version }) => version);
  const forgotten = new Set([...moved.map(({ eventId }) => eventId), ...(await newAmong(context, state))]);
  const next = new Map<string, Map<string, LoggedOtherVersion>>();
  const versionsOf = (eventId: string) => {
    const known = forgotten.has(eventId) ? [] : afterProofs(state.otherVersions.get(eventId) ?? [], proofs);
    const versions = next.get(eventId) ?? new Map(known.map((version) => [keyOf(version), version]));
    next.set(eventId, versions);
    return versions;
  };
  for (const eventId of forgotten) versionsOf(eventId);
  for (const version of moved) {
    versionsOf(version.eventId).set(keyOf(version), { ...version, isListed: false, axes: ['event'] });
  }
  for (const version of listed) {
    versionsOf(version.eventId).set(keyOf(version), { ...version, isListed: true, axes: ['event', 'processed'] });
  }
  const news = [...next].map(([eventId, versions]) => ({ eventId, versions: [...versions.values()] }));
  return {
    listed: listed.length,
    news: news.filter(({ eventId, versions }) => {
      return JSON.stringify(versions) !== JSON.stringify(afterProofs(state.otherVersions.get(eventId) ?? [], proofs));
    }),
  };
}

function keyOf({ eventMs, processedMs, eventType, agentId }: OtherVersion): string {
  return JSON.stringify([eventMs, processedMs, eventType, agentId]);
}

/** Delivered versions that are dropped, and stored ones that are replaced, where the event times differ. */
async function screened(
  context: CommitContext,
  batch: StagedBatch,
): Promise<{ readonly version: OtherVersion; readonly isListed: boolean }[]> {
  const ms = (time: string) => `epoch_ms(${time})::DOUBLE`;
  const delivered = [`d.event_type`, 'd.agent_id', ms('d.event_time'), ms('d.processed_time')];
  const stored = ['s.stored_type', 's.stored_agent', ms('s.stored_time'), ms('s.stored_processed')];
  const columns = ['type', 'agent', 'event_ms', 'processed_ms'];
  const either = columns.flatMap((name, n) => [
    `CASE WHEN s.verdict = 'dropped' THEN ${delivered[n]} ELSE ${stored[n]} END AS ${name}`,
    `CASE WHEN s.verdict = 'dropped' THEN ${stored[n]} ELSE ${delivered[n]} END AS kept_${name}`,
  ]);
  const rows = await rowsOf(
    context.connection,
    `SELECT s.event_id, s.verdict, ${either.join(', ')} FROM ${TEMP_TABLES.screen} s
     JOIN ${quoteName(batch.rowTables[EVENTS] ?? '')} d USING (id_hash)
     WHERE s.verdict IN ('dropped', 'changed') AND d.event_time <> s.stored_time
     ORDER BY s.event_id LIMIT ${MAX_OTHER_VERSIONS}`,
  );
  const text = (value: unknown) => (value === null ? null : String(value));
  const number = (value: unknown) => (value === null ? null : Number(value));
  return rows.map((row) => ({
    isListed: row.verdict === 'dropped',
    version: {
      eventId: String(row.event_id),
      eventType: text(row.type),
      agentId: text(row.agent),
      eventMs: Number(row.event_ms),
      processedMs: number(row.processed_ms),
      stored: { eventMs: Number(row.kept_event_ms), processedMs: number(row.kept_processed_ms) },
    },
  }));
}

/** Events of which other versions are known and that the lake did not hold before this batch. */
async function newAmong(context: CommitContext, state: LakeState): Promise<string[]> {
  if (state.otherVersions.size === 0) return [];
  const rows = await rowsOf(
    context.connection,
    `SELECT event_id FROM ${TEMP_TABLES.screen} WHERE verdict = 'new' AND event_id IS NOT NULL`,
  );
  return rows.map(({ event_id }) => String(event_id)).filter((eventId) => state.otherVersions.has(eventId));
}
