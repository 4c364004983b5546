import { crc32 } from 'node:zlib';

/** A body that is summed up while it is read. */
export interface SummedBody {
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Length and CRC-32 of the whole body, what the reader left included. null where it has no byte, does not come to its end, or
   * not within `MAX_SUMMED_BYTES`: of such a body nothing can be said. Call it after the reader is done.
   */
  checksum(): Promise<string | null>;
}

/** So much is read to compare a broken body with the one before it: larger than any page. */
const MAX_SUMMED_BYTES = 256 * 1024 * 1024;

/** The reader may stop early: the underlying body stays open until `checksum` is called or its answer is discarded. */
export function summedBody(source: AsyncIterable<Uint8Array>): SummedBody {
  const pieces = source[Symbol.asyncIterator]();
  let checksum = 0;
  let bodyBytes = 0;
  let hasEnded = false;
  let hasFailed = false;

  async function next(): Promise<Uint8Array | null> {
    try {
      const step = await pieces.next();
      if (step.done === true) {
        hasEnded = true;
        return null;
      }
      checksum = crc32(step.value, checksum);
      bodyBytes += step.value.byteLength;
      return step.value;
    } catch (thrown) {
      hasFailed = true;
      throw thrown;
    }
  }

  async function* through(): AsyncGenerator<Uint8Array> {
    for (let piece = await next(); piece !== null; piece = await next()) yield piece;
  }

  return {
    body: through(),
    async checksum() {
      try {
        while (!hasEnded && !hasFailed && bodyBytes <= MAX_SUMMED_BYTES) await next();
      } catch {
        // A body that does not come to its end has no sum; the error that matters is the reader's.
      }
      return hasEnded && bodyBytes > 0 ? `${bodyBytes} bytes, CRC-32 ${checksum.toString(16).padStart(8, '0')}` : null;
    },
  };
}
