import { intersect, NO_FILTER, type OtherVersion, type TimeAxis, type WindowProof } from '@edrlake/core';
import { holdsAtom } from './window-filters.ts';

/** What the log holds of a version that is not stored. */
export interface LoggedOtherVersion extends OtherVersion {
  /**
   * Whether the API listed it beside the stored version. Else it was stored, until a commit replaced it by a version
   * with another event time: the API may list only that one now.
   */
  readonly isListed: boolean;
  /** The axes on which no newer proof has counted its time since. */
  readonly axes: readonly TimeAxis[];
}

/** All that is known of the other versions of one event from a commit on; empty: nothing any more. */
export interface VersionsOfEvent {
  readonly eventId: string;
  readonly versions: readonly LoggedOtherVersion[];
}

/** Events of which other versions are kept; further ones are not accounted for, so that their days do not match. */
const MAX_EVENTS = 100_000;

/** The time by which windows of the axis select it. */
export function instantOn(axis: TimeAxis, { eventMs, processedMs }: OtherVersion['stored']): number | null {
  return axis === 'event' ? eventMs : processedMs;
}

/** What remains known of versions after proofs: each proof counts its range anew. */
export function afterProofs(
  versions: readonly LoggedOtherVersion[],
  proofs: readonly WindowProof[],
): readonly LoggedOtherVersion[] {
  const left = versions.map((version) => {
    const axes = version.axes.filter((axis) => !proofs.some((proof) => counts(proof, version, axis)));
    return axes.length === version.axes.length ? version : { ...version, axes };
  });
  return left.filter(({ axes }) => axes.length > 0);
}

/** Applies a commit in place: its proofs, and after them what it says of single events. */
export function applyOtherVersions(
  known: Map<string, readonly LoggedOtherVersion[]>,
  proofs: readonly WindowProof[],
  said: readonly VersionsOfEvent[],
): void {
  for (const [eventId, versions] of proofs.length === 0 ? [] : [...known]) {
    set(known, eventId, afterProofs(versions, proofs));
  }
  for (const { eventId, versions } of said) set(known, eventId, versions);
}

function set(
  known: Map<string, readonly LoggedOtherVersion[]>,
  eventId: string,
  versions: readonly LoggedOtherVersion[],
): void {
  if (versions.length === 0) known.delete(eventId);
  else if (known.has(eventId) || known.size < MAX_EVENTS) known.set(eventId, versions);
}

/**
 * Whether the newest proof that covers the version's time on the axis counted this version but not the stored one. A
 * window that covers both has already noticed that it lists an id twice.
 * @param proofs oldest first
 */
export function isCountedApart(version: LoggedOtherVersion, axis: TimeAxis, proofs: readonly WindowProof[]): boolean {
  if (!version.axes.includes(axis)) return false;
  const newest = proofs.findLast((proof) => counts(proof, version, axis));
  return newest === undefined || !holdsInstant(newest, instantOn(axis, version.stored));
}

/** Whether a window selects everything of its kind at the time of the version. */
function counts({ window, verdict }: WindowProof, version: OtherVersion, axis: TimeAxis): boolean {
  const { filter, state } = window.scope;
  if (window.axis !== axis || verdict === 'unverified') return false;
  if (filter !== NO_FILTER.filter || state !== NO_FILTER.state) return false;
  const { eventType: type, agentId: agent } = version;
  return holdsInstant({ window }, instantOn(axis, version)) && holdsAtom(window.cuts, { type, agent });
}

function holdsInstant({ window }: Pick<WindowProof, 'window'>, ms: number | null): boolean {
  return ms !== null && intersect(window.range, { startMs: ms, endMs: ms + 1 }) !== null;
}
