/**
 * The state of a day, worst first. `mismatched`: what was fetched is not what the API counted, or ids are stored twice.
 * `rejected`: too many of its records could not become rows. `missing`: the lake has lost events it held. `late`: the
 * API has gained events since. `unverified`: the API counted nothing in some of the day, which nothing confirmed.
 * `partial`: some of the day was never proven, or before it had settled. `unplanned`: nothing of it was ever fetched.
 * `open`: the day is not over, or has not settled. `complete`: the lake holds all of it.
 */
export const DAY_STATES = [
  'mismatched',
  'rejected',
  'missing',
  'late',
  'unverified',
  'partial',
  'unplanned',
  'open',
  'complete',
] as const;
/** One of the states. */
export type DayState = (typeof DAY_STATES)[number];

/** What people read for each state. */
export const DAY_STATE_NAMES: Readonly<Record<DayState, string>> = {
  mismatched: 'mismatched',
  rejected: 'rejected',
  missing: 'missing',
  late: 'late',
  unverified: 'unverified',
  partial: 'partly fetched',
  unplanned: 'never planned',
  open: 'not over yet',
  complete: 'complete',
};
