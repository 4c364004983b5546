/** A fixed number of places; who finds none free waits for one, first come first served. */
export interface Slots {
  /** Runs the work in a place of its own, which is free again when the work has settled. */
  hold<T>(work: () => Promise<T>): Promise<T>;
}

/** Places for `count` pieces of work at once. */
export function slotsFor(count: number): Slots {
  let free = count;
  const waiting: (() => void)[] = [];
  return {
    hold: async (work) => {
      if (free > 0) free -= 1;
      else await new Promise<void>((resolve) => waiting.push(resolve));
      try {
        return await work();
      } finally {
        // A place that someone waits for is handed over without ever being free.
        const next = waiting.shift();
        if (next === undefined) free += 1;
        else next();
      }
    },
  };
}
