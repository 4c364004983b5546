import type { Clock, RateLimit } from '@edrlake/core';
import { type Lake, lookAtLeases } from '@edrlake/lake';
import { type LakeStatus, type RunLook, readLakeStatus } from '@edrlake/runner/history';

/** What the page is made from. */
export interface PageContext {
  /** Open for reading. */
  readonly lake: Lake;
  readonly clock: Clock;
  /** ` --lake DIR --dataset NAME` as far as typed, for commands to paste. */
  readonly lakeFlags: string;
  /** `edrlake` or `npx edrlake`: how commands to paste begin. */
  readonly asPasted: (command: string) => string;
  /** Where questions of the owner are, `*.sql`; null: nowhere. */
  readonly questionsFolder: string | null;
  /** The user's own limit of requests; null without one. */
  readonly userLimit: RateLimit | null;
  /** See `RunLook`. */
  readonly askEngine?: RunLook['askEngine'];
}

/** How the page finds out whether runs go on. */
export async function runLook({ lake, clock, askEngine }: PageContext): Promise<RunLook> {
  return { ...(await lookAtLeases(lake.directory, clock.nowMs())), ...(askEngine && { askEngine }) };
}

/** The status of the lake, as `edrlake status` has it. */
export function pageStatus({ lake, userLimit, askEngine }: PageContext, nowMs: number): Promise<LakeStatus> {
  return readLakeStatus(lake, { userLimit, nowMs, ...(askEngine && { askEngine }) });
}
