import { crc32 } from 'node:zlib';

/** A body whose checksum is computed while it is read. */
export interface SummedBody {
  readonly body: AsyncIterable<Uint8Array>;
  /**
   * Length and CRC-32 of the whole body, including what the reader left. null where the body does not come to its end,
   * or not within `MAX_SUMMED_BYTES`, because such a body cannot be compared; and where the body calls itself
   * temporary. Call it when the reader is done.
   */
  checksum(): Promise<string | null>;
}

/** Bytes that are read to compare a broken body with the one before it: more than any page has. */
const MAX_SUMMED_BYTES = 256 * 1024 * 1024;

/** A longer body is a page or a part of one, whose records may contain any words; messages are short. */
const MAX_MESSAGE_BYTES = 2_048;

const IS_TEMPORARY =
  /\b(temporar|unavailable|try again|retry|re-?start|start(ing|s) up|initiali[sz]ing|not ready|overload|timed? ?out|maintenance)/i;

/** The reader may stop early: the underlying body stays open until `checksum` is called or its answer is discarded. */
export function summedBody(source: AsyncIterable<Uint8Array>): SummedBody {
  const pieces = source[Symbol.asyncIterator]();
  let checksum = 0;
  let bodyBytes = 0;
  const beginning: Uint8Array[] = [];
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
      if (bodyBytes <= MAX_MESSAGE_BYTES) beginning.push(step.value.subarray(0, MAX_MESSAGE_BYTES + 1 - bodyBytes));
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
        // A body that does not come to its end has no checksum; the error that matters is the reader's.
      }
      const isTemporary = bodyBytes <= MAX_MESSAGE_BYTES && IS_TEMPORARY.test(Buffer.concat(beginning).toString());
      return hasEnded && !isTemporary ? `${bodyBytes} bytes, CRC-32 ${checksum.toString(16).padStart(8, '0')}` : null;
    },
  };
}
