/** Runs pieces of work one after the other, in the order of the calls; each in its turn also after one that failed. */
export function turnTaking(): <T>(work: () => Promise<T>) => Promise<T> {
  let tail: Promise<unknown> = Promise.resolve();
  return (work) => {
    const turn = tail.then(work);
    tail = turn.catch(() => undefined);
    return turn;
  };
}
