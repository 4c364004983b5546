let left = 0;

/**
 * Notes work of native code that was interrupted, until it ends: while it waits for a network it does not hear that,
 * and the process cannot end in order.
 */
export function noteLeftWork(work: Promise<unknown>): void {
  left += 1;
  const end = () => {
    left -= 1;
  };
  work.then(end, end);
}

/** Whether some of it goes on. */
export function isWorkLeft(): boolean {
  return left > 0;
}
