import type { Clock, RateLimit } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';

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
}
