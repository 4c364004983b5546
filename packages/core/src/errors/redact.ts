/** Removes secrets from a text. */
export type Redact = (text: string) => string;

/**
 * Shorter secrets are parts of ordinary words, in which nothing shows that they are meant. They are removed only where
 * they are whole words.
 */
export const MIN_SECRET_LENGTH = 5;

const REMOVED = '[removed]';

const SECRET_SHAPES: readonly [RegExp, string][] = [
  // A token, also one that was cut off.
  [/eyJ[\w-]{4,}(?:\.[\w-]*){0,4}/g, '[token]'],
  [/\b(bearer|basic)\s+[^\s"',;<>]+/gi, `$1 ${REMOVED}`],
  [/\b(password|passwd|token|authorization)(["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s"'&,;<>}]+)/gi, `$1$2${REMOVED}`],
];

/**
 * Makes a function that removes secrets. A secret is removed as it is and as JSON, HTML, URLs and forms write it; one
 * of fewer than `MIN_SECRET_LENGTH` characters only as a whole word.
 * @param secrets the current secrets, asked for at each call because tokens change
 */
export function createRedact(secrets: () => readonly (string | null)[]): Redact {
  return (text) => {
    const patterns = secrets()
      .filter((secret): secret is string => secret !== null && secret !== '')
      // Longest first, so that no rest stays of a secret that contains another one.
      .sort((a, b) => b.length - a.length)
      .map(patternOf);
    // In one pass, so that a secret is not searched in what replaces another one.
    return patterns.length === 0 ? text : text.replace(new RegExp(patterns.join('|'), 'gu'), REMOVED);
  };
}

/**
 * Removes what looks like a secret from a text of another program: a token, a header, the value of a password field.
 */
export function redactShapes(text: string): string {
  return SECRET_SHAPES.reduce((shown, [shape, replacement]) => shown.replace(shape, replacement), text);
}

function patternOf(secret: string): string {
  const pattern = Array.from(secret, characterPattern).join('');
  return secret.length >= MIN_SECRET_LENGTH ? pattern : `(?<![\\p{L}\\p{N}])${pattern}(?![\\p{L}\\p{N}])`;
}

/** A character as it is, or as JSON, HTML, URLs and forms escape it. No library escapes ASCII letters and digits. */
function characterPattern(character: string): string {
  if (/^[A-Za-z0-9]$/.test(character)) return character;
  const code = character.codePointAt(0) ?? 0;
  const jsonUnits = Array.from({ length: character.length }, (_, at) => character.charCodeAt(at));
  const json = JSON.stringify(character).slice(1, -1);
  const forms = [
    ...(HTML_NAMES[character] === undefined ? [] : [`&${HTML_NAMES[character]};`]),
    `&#0*${code};`,
    `&#[xX]0*${hexPattern(code)};`,
    jsonUnits.map((unit) => `\\\\u${hexPattern(unit, 4)}`).join(''),
    Array.from(new TextEncoder().encode(character), (byte) => `%${hexPattern(byte, 2)}`).join(''),
    ...(json === character ? [] : [literal(json)]),
    ...(character === '/' ? ['\\\\\\/'] : []),
    ...(character === ' ' ? ['\\+'] : []),
    literal(character),
  ];
  return `(?:${forms.join('|')})`;
}

const HTML_NAMES: Readonly<Record<string, string>> = { '&': 'amp', '<': 'lt', '>': 'gt', '"': 'quot', "'": 'apos' };

/** Hexadecimal digits in either case. */
function hexPattern(value: number, digits = 1): string {
  const text = value.toString(16).padStart(digits, '0');
  return text.replace(/[a-f]/g, (digit) => `[${digit}${digit.toUpperCase()}]`);
}

function literal(text: string): string {
  return text.replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&');
}
