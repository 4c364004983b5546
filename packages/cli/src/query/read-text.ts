import type { Readable } from 'node:stream';
import { EdrlakeError } from '@edrlake/core';

/** Far more SQL than anyone writes; the bound is for a file that was piped by mistake. */
const MAX_CHARACTERS = 16 * 1024 * 1024;

/** Everything on a stream of UTF-8 text. @throws {EdrlakeError} `USAGE` when it is absurdly long */
export async function readAllText(stream: Readable): Promise<string> {
  let text = '';
  const decoder = new TextDecoder();
  for await (const piece of stream) {
    text += typeof piece === 'string' ? piece : decoder.decode(piece as Uint8Array, { stream: true });
    if (text.length > MAX_CHARACTERS)
      throw new EdrlakeError('USAGE', 'expected SQL on standard input, found too much text');
  }
  return text + decoder.decode();
}
