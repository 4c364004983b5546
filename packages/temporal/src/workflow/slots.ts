/** Does work as soon as one of its slots is free, in the order of the calls. */
export type Slots = <T>(work: () => Promise<T>) => Promise<T>;

/** Code of a workflow: nothing but promises decides the order. @param most calls at work at once */
export function createSlots(most: number): Slots {
  let free = most;
  const waiting: (() => void)[] = [];
  return async (work) => {
    if (free > 0) free -= 1;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await work();
    } finally {
      const next = waiting.shift();
      if (next === undefined) free += 1;
      else next();
    }
  };
}
