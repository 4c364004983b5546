import type { BatchFindings, OtherVersion, WindowProof } from '@edrlake/core';
import type { LakeState } from '../log/lake-state.ts';
import { afterProofs, type LoggedOtherVersion, type VersionsOfEvent } from '../proofs/other-versions.ts';
import type { CommitEngine } from './engine.ts';

/** What a commit learns about versions of its events that are not stored. */
export interface MetVersions {
  /** Records of the batch that are not stored because a version with another time is. */
  readonly listed: number;
  /** What the log does not hold yet. */
  readonly news: readonly VersionsOfEvent[];
}

/**
 * Finds the versions that the API lists beside the stored ones, after the comparison: of another window of the
 * batch, or `dropped` because of a stored version with another event time. A stored version that is replaced by one
 * with another event time is kept in mind as well: the proofs of its own time have counted it. Once an event is stored
 * under another time than before, nothing else of what was known of it holds.
 * @param proofs those that are committed with the batch
 */
export async function findOtherVersions(
  engine: CommitEngine,
  state: LakeState,
  batch: Pick<BatchFindings, 'otherVersions'> | null,
  proofs: readonly WindowProof[],
): Promise<MetVersions> {
  if (batch === null) return { listed: 0, news: [] };
  const found = await engine.metVersions();
  const storedOf = new Map(
    found.flatMap(({ version, isListed }) => (isListed ? [[version.eventId, version.stored]] : [])),
  );
  const listed = [
    ...found.filter(({ isListed }) => isListed).map(({ version }) => version),
    ...batch.otherVersions.map((version) => ({ ...version, stored: storedOf.get(version.eventId) ?? version.stored })),
  ];
  const moved = found.filter(({ isListed }) => !isListed).map(({ version }) => version);
  const forgotten = new Set([...moved.map(({ eventId }) => eventId), ...(await newAmong(engine, state))]);
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

/** Events of which other versions are known and that the lake did not hold before this batch. */
async function newAmong(engine: CommitEngine, state: LakeState): Promise<string[]> {
  if (state.otherVersions.size === 0) return [];
  return (await engine.newIds()).filter((eventId) => state.otherVersions.has(eventId));
}
