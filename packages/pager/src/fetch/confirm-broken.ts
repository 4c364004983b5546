import { EdrlakeError } from '@edrlake/core';
import type { Listing, PageWithIds } from './spool.ts';

/** Requests for one page of which no two answers agree on what cannot be read. */
const MAX_ANSWERS = 4;

/**
 * Fetches a page, and again while an answer has unreadable records, until two answers in a row have the same. A record
 * that the API cannot write is unreadable each time and becomes a reject. One that was damaged on the way is readable
 * in another answer: as a reject it would be an event that the lake lacks, in a window that adds up.
 * @param answered receives what each of the answers listed
 * @throws {EdrlakeError} `BODY_BROKEN` (`retry`) when no two answers agree
 */
export async function confirmBroken<T extends { readonly value: PageWithIds }>(
  fetch: () => Promise<T>,
  answered: Listing[],
): Promise<T> {
  let before: string | undefined;
  for (let answers = 1; ; answers++) {
    const fetched = await fetch();
    answered.push(fetched.value);
    const { page, brokenCrc32 } = fetched.value;
    if (brokenCrc32 === undefined || brokenCrc32 === before) return fetched;
    if (answers === MAX_ANSWERS) throw differing(page.windowId, page.pageNumber);
    before = brokenCrc32;
  }
}

function differing(windowId: string, pageNumber: number): EdrlakeError {
  return new EdrlakeError(
    'BODY_BROKEN',
    `expected page ${pageNumber} of window ${windowId} to be readable or damaged in one place, each of ${MAX_ANSWERS} answers was damaged differently`,
    {
      disposition: 'retry',
      context: { windowId, pageNumber },
      hint: 'Something between the API and here changes what is sent. Run again; if it stays, look at proxies.',
    },
  );
}
