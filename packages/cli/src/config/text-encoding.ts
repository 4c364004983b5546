import { EdrlakeError } from '@edrlake/core';

/** Editors put these marks before the text; no one types them. */
const MARKS: readonly (readonly [encoding: string, bytes: readonly number[]])[] = [
  ['utf-8', [0xef, 0xbb, 0xbf]],
  ['utf-16le', [0xff, 0xfe]],
  ['utf-16be', [0xfe, 0xff]],
];

/**
 * The encoding of a text, and how many bytes its mark takes. ASCII text in UTF-16 without a mark has a NUL in every
 * other byte.
 */
export function encodingOf(bytes: Uint8Array): readonly [encoding: string, markBytes: number] {
  for (const [encoding, mark] of MARKS) {
    if (mark.every((byte, index) => bytes[index] === byte)) return [encoding, mark.length];
  }
  if (bytes.byteLength >= 4 && bytes.byteLength % 2 === 0) {
    const isNul = (parity: number) => bytes.every((byte, index) => index % 2 !== parity || byte === 0);
    const [even, uneven] = [isNul(0), isNul(1)];
    if (uneven && !even) return ['utf-16le', 0];
    if (even && !uneven) return ['utf-16be', 0];
  }
  return ['utf-8', 0];
}

/**
 * Refuses a file of settings or code that its loader would misread: its own message would quote the contents, or say
 * nothing of the encoding. A mark before UTF-8 and line ends of any kind are no fault.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the file and what was found, never the contents
 */
export function refuseUnreadableText(bytes: Uint8Array, path: string): void {
  const [encoding] = encodingOf(bytes);
  const found = encoding === 'utf-8' ? strangeBytes(bytes) : `found ${encoding.slice(0, 6).toUpperCase()}`;
  if (found === null) return;
  throw new EdrlakeError('CONFIG_INVALID', `${path}: expected UTF-8 text, ${found}`, {
    hint: 'Save the file again as plain UTF-8 text.',
  });
}

function strangeBytes(bytes: Uint8Array): string | null {
  const lineOf = (at: number) => bytes.subarray(0, at).reduce((line, byte) => line + (byte === 0x0a ? 1 : 0), 1);
  const nul = bytes.indexOf(0);
  if (nul >= 0) return `found a NUL in line ${lineOf(nul)}`;
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes);
    return null;
  } catch {
    return 'found bytes that are not UTF-8';
  }
}
