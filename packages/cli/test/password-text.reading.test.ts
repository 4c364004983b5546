import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { readPasswordText } from '../src/config/password-text.ts';
import { cleanEnvironment } from '../src/process/clean-environment.ts';

/** UTF-16, big-endian. */
function bigEndian(text: string): Buffer {
  return Buffer.from(text, 'utf16le').swap16();
}

const FORMS: Readonly<Record<string, (text: string) => Uint8Array>> = {
  'UTF-8': (text) => Buffer.from(text),
  'UTF-8 with a mark': (text) => Buffer.from(`\ufeff${text}`),
  'UTF-16, little-endian': (text) => Buffer.from(`\ufeff${text}`, 'utf16le'),
  'UTF-16, big-endian': (text) => bigEndian(`\ufeff${text}`),
};
const UNMARKED = {
  'UTF-16, little-endian, no mark': (text: string) => Buffer.from(text, 'utf16le'),
  'UTF-16, big-endian, no mark': bigEndian,
};

const ascii = fc.string({ unit: 'grapheme-ascii', minLength: 2, maxLength: 40 });
const anyText = fc
  .string({ unit: fc.constantFrom(...'a§ü日🔑 "\\&%+') })
  .filter((text) => text.trim() !== '' && !text.startsWith('\ufeff'));
const lineEnds = fc.constantFrom('', '\n', '\r\n', '\r', '\n\n', '\r\n\r\n', '\r\n  \r\n');

describe('the password in a file', () => {
  it.each(Object.entries(FORMS))('is found whole in %s, blanks included', (_, write) => {
    fc.assert(
      fc.property(fc.oneof(ascii, anyText), lineEnds, (password, end) => {
        expect(readPasswordText(write(password + end), 'FILE')).toBe(password);
      }),
    );
  });

  it.each(Object.entries(UNMARKED))('is found in %s where it is ASCII', (_, write) => {
    fc.assert(
      fc.property(ascii, lineEnds, (password, end) => {
        expect(readPasswordText(write(password + end), 'FILE')).toBe(password);
      }),
    );
  });

  it.each([
    ['two lines', Buffer.from('first-part\nsecond-part\n'), 'found 2'],
    ['an empty first line', Buffer.from('\r\nfirst-part'), 'found 2'],
    ['Latin-1', Buffer.from('first-pärt', 'latin1'), 'not UTF-8'],
    ['half of a UTF-16 character', Buffer.from([0xff, 0xfe, 0x73, 0x00, 0x65]), 'not UTF-16LE'],
    ['UTF-32', Buffer.from([0xff, 0xfe, 0, 0, 0x66, 0, 0, 0]), 'U+0000 (a NUL)'],
    ['a mark in the middle', Buffer.from('first\ufeff-part'), 'U+FEFF (a byte order mark)'],
    ['a zero-width space', Buffer.from('first-part\u200b'), 'U+200B (an invisible character)'],
    ['a tab', Buffer.from('first\t-part'), 'U+0009 (a tab)'],
    ['a whole file', Buffer.alloc(100_000, 'first-part'), '100000 bytes'],
  ])('%s is refused, and not shown', (_, bytes, found) => {
    let message = '';
    try {
      readPasswordText(bytes, 'FILE');
    } catch (thrown) {
      message = String(thrown);
      expect(thrown).toMatchObject({ code: 'CONFIG_INVALID', exitCode: 2 });
    }
    expect(message).toContain('FILE: expected');
    expect(message).toContain(found);
    expect(message).not.toMatch(/first|part|second/);
  });
});

describe('the environment', () => {
  it('loses the mark and the line ends of a file, and nothing else', () => {
    const env = {
      EDRLAKE_PASSWORD: ' a b \r',
      EDRLAKE_LAKE: '\ufefflake\r\n',
      EDRLAKE_FILTER: 'type:\n  FILE',
      '\ufeffEDRLAKE_USERNAME': 'ann\r',
      HTTPS_PROXY: 'http://proxy:3128\r',
      OTHER: 'left alone\r',
    };
    expect(cleanEnvironment(env)).toEqual({
      EDRLAKE_PASSWORD: ' a b ',
      EDRLAKE_LAKE: 'lake',
      EDRLAKE_FILTER: 'type:\n  FILE',
      EDRLAKE_USERNAME: 'ann',
      HTTPS_PROXY: 'http://proxy:3128',
      OTHER: 'left alone\r',
    });
  });
});
