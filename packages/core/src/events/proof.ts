import type { Day } from '../time/time-range.ts';
import type { Pagination } from './event-source.ts';
import type { PlannedWindow, Window } from './window.ts';

/** One page body on disk: newline-delimited JSON, one record per line, in delivered order. */
export interface SpooledPage {
  readonly windowId: string;
  readonly pageNumber: number;
  /** Absolute path; the file is complete and synced when this object exists. */
  readonly path: string;
  readonly bodyBytes: number;
  readonly recordCount: number;
  /** CRC-32 of the spooled bytes, 8 hex digits: a resumed run trusts a page only when it still matches. */
  readonly crc32: string;
  /**
   * Only of pages that were walked by cursors: the cursor of the next page, null after the last one. A resumed run
   * continues there.
   */
  readonly nextCursor?: string | null;
  /**
   * How it was requested: a resumed run uses pages only for a walk in the same way. Absent where an older edrlake wrote
   * it.
   */
  readonly way?: Pagination;
  /**
   * The rules by which its lines were written, as text that is only compared. Absent where an older edrlake wrote it.
   */
  readonly format?: string;
}

/** All pages of one window on disk, and whether they add up. */
export interface FetchedWindow extends PlannedWindow {
  readonly pages: readonly SpooledPage[];
  readonly bodyBytes: number;
  /** Records in the pages; `distinctIds` of them carry different ids, `withoutId` carry none. */
  readonly recordCount: number;
  readonly distinctIds: number;
  readonly withoutId: number;
  /**
   * Records that the API lists more than once, where walks in different ways have shown that all ids are there: then
   * the window is `complete` although records and ids differ. Absent: none.
   */
  readonly duplicates?: number;
  /** The count was taken after the pages. Absent: before them. */
  readonly recounted?: true;
  /**
   * `complete`: the records equal the count, and no id came twice. `mismatch`: not so after every refetch.
   * `incomplete`: a page or a count failed; these are the pages that came, and no proof is made of them.
   */
  readonly verdict: 'complete' | 'mismatch' | 'incomplete';
}

/**
 * What one window brought into the lake, kept in the commit log. Only `proven` counts as coverage. `mismatch`: the
 * numbers contradict each other. `rejected`: they add up, but too large a share of the records could not become rows.
 * `unverified`: the API counted zero and no empty page confirmed it; it does not contradict an older proof.
 */
export interface WindowProof {
  readonly window: Window;
  /** Events the API counted, records fetched, distinct ids among them, records that became rejects. */
  readonly counted: number;
  readonly fetched: number;
  readonly distinct: number;
  readonly rejected: number;
  /** Records that the API lists more than once, see `FetchedWindow`. Absent: none. */
  readonly duplicates?: number;
  /**
   * Versions of repeated events that are not stored, by their own event day and type (`''` where they name none): what
   * the API lists there besides `perDay`. Absent: none, or an older edrlake wrote it.
   */
  readonly duplicatesPerDay?: DuplicatesPerDay;
  /** Different accepted events by event day; of one listed more than once only the version that is stored. */
  readonly perDay: Readonly<Record<Day, number>>;
  /** Rejects with a readable event time by its UTC day; those without one are in none. */
  readonly rejectedPerDay: Readonly<Record<Day, number>>;
  readonly verdict: 'proven' | 'mismatch' | 'unverified' | 'rejected';
  /**
   * Nothing was fetched: the lake held as many records with a processing time of each part of the range as the API
   * counted there, by a count and by a histogram that add up. Absent: pages were fetched.
   */
  readonly comparedOnly?: true;
  /** Only of `rejected`, and absent where an older edrlake wrote it: what judged it. */
  readonly judgedBy?: RejectRule;
  /** When the proof was made, by the earlier of both clocks. */
  readonly verifiedAtMs: number;
  /**
   * The earliest moment of its counts, by the earlier of both clocks: what happened later cannot be part of it. Absent
   * in proofs of older versions; then `verifiedAtMs` is used.
   */
  readonly countedAtMs?: number;
}

/** What decides whether records become rejects, and whether these are too many. */
export interface RejectRule {
  /** The allowed share of rejects, from 0 to 1. */
  readonly maxRejectShare: number;
  /** The version of edrlake that read the records; null if unknown. */
  readonly edrlake: string | null;
}

/** Numbers of records by event day, and there by event type. */
export type DuplicatesPerDay = Readonly<Record<Day, Readonly<Record<string, number>>>>;

/**
 * A record that the API listed and that is not stored, because another version of its event is: under another time, so
 * that another window or day holds the row.
 */
export interface OtherVersion {
  readonly eventId: string;
  readonly eventType: string | null;
  readonly agentId: string | null;
  /** UTC epoch milliseconds; null if the record does not say. */
  readonly eventMs: number;
  readonly processedMs: number | null;
  /** The times of the version that is stored. */
  readonly stored: { readonly eventMs: number; readonly processedMs: number | null };
}

/**
 * How many of the records that the API counted in a window it counted more than once. 0 where it counts each id once.
 */
export function countedTwice({ counted, fetched, duplicates = 0 }: WindowProof): number {
  return duplicates === 0 ? 0 : Math.max(0, counted - (fetched - duplicates));
}
