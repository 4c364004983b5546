/**
 * Buffers of one size that are used again. Two new ones for each page are most of what a large export throws away, and
 * memory beside the heap makes V8 mark all of the heap.
 */
export interface SpareBuffers {
  /** A buffer that is in no use. What it holds is left from before. */
  take(): Buffer;
  /** It must not be used any more. One of another size, because it had to grow, is thrown away. */
  giveBack(buffer: Buffer): void;
}

/** @param most buffers that are kept */
export function spareBuffers(sizeBytes: number, most: number): SpareBuffers {
  const spare: Buffer[] = [];
  return {
    take: () => spare.pop() ?? Buffer.allocUnsafeSlow(sizeBytes),
    giveBack: (buffer) => {
      if (buffer.length === sizeBytes && spare.length < most) spare.push(buffer);
    },
  };
}
