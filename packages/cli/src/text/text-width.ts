import stringWidth from 'fast-string-width';
import { wrapAnsi } from 'fast-wrap-ansi';

// Latin letters without marks of their own, one cell each: most text by far, and string-width looks at each character.
const PLAIN = /^[\x20-\x7e\xa1-\xac\xae-\u02ff]*$/;

/** Cells a terminal needs for the text. */
export function displayWidth(text: string): number {
  return PLAIN.test(text) ? text.length : stringWidth(text);
}

/** The text cut to at most `width` cells, the last of them `…` where something is missing. Plain text only. */
export function truncate(text: string, width: number): string {
  if (displayWidth(text) <= width) return text;
  let kept = '';
  let used = 0;
  for (const { segment } of graphemes().segment(text)) {
    const next = displayWidth(segment);
    if (used + next > width - 1) break;
    kept += segment;
    used += next;
  }
  return `${kept}…`;
}

let segmenter: Intl.Segmenter | null = null;

/** Made at the first use: it takes longer to make than most commands take to read their flags. */
function graphemes(): Intl.Segmenter {
  segmenter ??= new Intl.Segmenter('en', { granularity: 'grapheme' });
  return segmenter;
}

/** The text with blanks behind it up to `width` cells; longer text as it is. */
export function padEnd(text: string, width: number): string {
  return text + ' '.repeat(Math.max(0, width - displayWidth(text)));
}

/** The text with blanks before it up to `width` cells; longer text as it is. */
export function padStart(text: string, width: number): string {
  return ' '.repeat(Math.max(0, width - displayWidth(text))) + text;
}

/** What starts a command: where it is broken, it cannot be pasted, and no flags are put behind it. */
const COMMAND_START = /(?:npx )?edrlake (?:publish )?(?=[a-z])/g;
const JOINT = '\u00a0';

/**
 * Lines of at most `width` cells, broken between words, but not inside of `edrlake status`; a longer word gets a line
 * of its own. Never empty.
 */
export function wrapWords(text: string, width: number): string[] {
  const joined = text.replaceAll(COMMAND_START, (start) => start.replaceAll(' ', JOINT));
  const lines = wrapAnsi(joined, width, { wordWrap: true, hard: false }).split('\n');
  return lines.map((line) => (line.includes(JOINT) ? line.replaceAll(JOINT, ' ') : line));
}

const CONTROL_CHARACTERS = /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu;

/** Delivered text made safe to show in one line: control characters, which could move the cursor, become escapes. */
export function oneLine(text: string): string {
  return text.replace(CONTROL_CHARACTERS, (character) => {
    if (character === '\n') return '\\n';
    if (character === '\r') return '\\r';
    if (character === '\t') return '\\t';
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`;
  });
}
