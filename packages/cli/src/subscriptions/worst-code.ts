/**
 * Exit codes by what they ask of a person, the best first: nothing; the next run brings what is missing; the platform
 * has changed its answers; settings keep a subscription from running at all; it failed; what is stored, or said, cannot
 * be relied on; an indicator was found; the work was interrupted, so that the others say nothing. A code that is not
 * here is as bad as a failure.
 */
const BEST_FIRST: readonly number[] = [0, 3, 6, 2, 1, 4, 5, 130];

/** What each code means in a table of many. */
const MEANINGS: Readonly<Record<number, string>> = {
  0: 'done',
  1: 'failed',
  2: 'settings or credentials',
  3: 'partly done: run it again',
  4: 'not to be relied on',
  5: 'found',
  6: 'too many rejects',
  130: 'interrupted',
};

/** How bad a code is; 0 is best. */
export function badnessOf(code: number): number {
  const place = BEST_FIRST.indexOf(code);
  return place < 0 ? BEST_FIRST.indexOf(1) : place;
}

/** The exit code of a command for several subscriptions: that of the worst of them; 0 for none. */
export function worstOf(codes: readonly number[]): number {
  return codes.reduce((worst, code) => (badnessOf(code) > badnessOf(worst) ? code : worst), 0);
}

/** In a few words. */
export function codeMeaning(code: number): string {
  return MEANINGS[code] ?? MEANINGS[1] ?? '';
}
