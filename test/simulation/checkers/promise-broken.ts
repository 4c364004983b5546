/** The promises of edrlake, as numbered in its README, and what follows from the exit codes. */
export const PROMISES = {
  once: '1, exactly once: event_id is unique, and every child row has its event and its position',
  newest: '2, the newest version of an event wins, and nothing else deletes or changes rows',
  proven: '3, nothing is called proven that is not equal to the truth',
  'nothing lost': '3, nothing is lost silently',
  resumed: '5, after a kill the same command again brings the lake of an uninterrupted run',
  limits: '7, no more requests than allowed, in a window and at once',
  secrets: '8, no password in what is said',
  'exit code': 'exit code 0 means done',
  globs: 'a pattern over the table folders gives the rows of the views when no writer is at work',
  bug: 'an error says what to do, and is never called a bug of edrlake',
  tidy: 'vacuum leaves nothing that no reader or writer needs',
  ends: 'every command ends',
} as const;

/** The name of a promise. */
export type PromiseName = keyof typeof PROMISES;

/** A promise that was broken in a world. */
export class PromiseBroken extends Error {
  readonly promise: PromiseName;

  constructor(promise: PromiseName, detail: string) {
    super(detail);
    this.promise = promise;
  }
}

/** A few of many, for a message. */
export function few(items: Iterable<string>): string {
  const all = [...items];
  return `${all.slice(0, 3).join(', ')}${all.length > 3 ? `, … (${all.length})` : ''}`;
}
