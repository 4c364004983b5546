import { EdrlakeError } from '@edrlake/core';
import { encodingOf } from './text-encoding.ts';

/** Much longer than any password; more is the wrong file. */
const MAX_BYTES = 65_536;

/** Characters that no keyboard makes: they come from an editor, a copy from a web page, or a file that is not text. */
const UNTYPABLE = /[\p{Cc}\u200b-\u200f\u2028-\u202e\u2060-\u2064\ufeff\ufffd]/u;

const HINT = 'Write it again as plain UTF-8 text of one line. It was not sent anywhere.';

/**
 * The password in the bytes of a file: UTF-8 or UTF-16, with or without a byte order mark. The mark, the line break at
 * the end and empty lines after it are not part of it; blanks are. An empty text where the file holds none.
 * @param setting what names the file, for messages
 * @throws {EdrlakeError} `CONFIG_INVALID` for bytes that no password can be; the message says what was found, never the
 * text
 */
export function readPasswordText(bytes: Uint8Array, setting: string): string {
  if (bytes.byteLength > MAX_BYTES) {
    throw refused(setting, `expected a password, found a file of ${bytes.byteLength} bytes`);
  }
  const [encoding, mark] = encodingOf(bytes);
  let text: string;
  try {
    text = new TextDecoder(encoding, { fatal: true, ignoreBOM: true }).decode(bytes.subarray(mark));
  } catch {
    throw refused(setting, `expected UTF-8 text, found bytes that are not ${encoding.toUpperCase()}`);
  }
  const password = text.replace(/[\r\n]\s*$/, '');
  const lines = password.split(/\r\n|\r|\n/).length;
  if (lines > 1) throw refused(setting, `expected one line, found ${lines}`);
  refuseUntypable(password, setting);
  return password;
}

/**
 * Refuses what would be sent as part of a name or a password although it cannot be meant, before a login with it counts
 * against the account.
 * @throws {EdrlakeError} `CONFIG_INVALID` naming the character and the setting, never the text
 */
export function refuseUntypable(text: string, setting: string): void {
  const found = UNTYPABLE.exec(text)?.[0];
  if (found === undefined) return;
  const code = (found.codePointAt(0) ?? 0).toString(16).toUpperCase().padStart(4, '0');
  throw refused(setting, `expected characters that can be typed, found U+${code} (${nameOf(found)})`);
}

function nameOf(character: string): string {
  if (character === '\0') return 'a NUL';
  if (character === '\ufeff') return 'a byte order mark';
  if (character === '\r' || character === '\n') return 'a line break';
  if (character === '\t') return 'a tab';
  if (character === '\ufffd') return 'a byte that was not text';
  return /\p{Cc}/u.test(character) ? 'a control character' : 'an invisible character';
}

function refused(setting: string, what: string): EdrlakeError {
  return new EdrlakeError('CONFIG_INVALID', `${setting}: ${what}`, { hint: HINT });
}
