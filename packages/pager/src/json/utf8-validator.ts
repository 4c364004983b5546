import { isUtf8 } from 'node:buffer';

/** Checks whether a stream of chunks is valid UTF-8; chunk boundaries may divide characters. */
export interface Utf8Validator {
  /** False at the first chunk that shows an invalid sequence. */
  accepts(chunk: Buffer): boolean;
}

/** A validator before the first chunk. Memory: three bytes. */
export function utf8Validator(): Utf8Validator {
  // The bytes of a character whose rest has not come yet: at most three.
  let open: Buffer = Buffer.alloc(0);
  return {
    accepts(chunk) {
      let from = 0;
      if (open.length > 0) {
        from = Math.min(chunk.length, characterLength(open[0] as number) - open.length);
        open = Buffer.concat([open, chunk.subarray(0, from)]);
        if (open.length < characterLength(open[0] as number)) return true;
        if (!isUtf8(open)) return false;
        open = Buffer.alloc(0);
      }
      const to = Math.max(from, lastCharacterEnd(chunk));
      open = Buffer.from(chunk.subarray(to));
      return isUtf8(chunk.subarray(from, to));
    },
  };
}

/** The end of the last character that is whole (or certainly not the beginning of one). */
function lastCharacterEnd(chunk: Buffer): number {
  const size = chunk.length;
  for (let back = 1; back <= 3 && back <= size; back++) {
    const byte = chunk[size - back] as number;
    if (byte < 0x80) return size;
    if (byte >= 0xc0) return characterLength(byte) > back ? size - back : size;
  }
  return size;
}

function characterLength(leadByte: number): number {
  if (leadByte >= 0xf0) return 4;
  if (leadByte >= 0xe0) return 3;
  return leadByte >= 0xc0 ? 2 : 1;
}
