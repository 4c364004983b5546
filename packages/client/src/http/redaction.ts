/** Removes secrets from a text. */
export type Redact = (text: string) => string;

const SECRET_SHAPES: readonly [RegExp, string][] = [
  // A token, also one that was cut off.
  [/eyJ[\w-]{4,}(?:\.[\w-]*){0,4}/g, '[token]'],
  [/\b(bearer|basic)\s+[^\s"',;<>]+/gi, '$1 [removed]'],
  [/\b(password|passwd|token|authorization)(["']?\s*[:=]\s*)(?:"[^"]*"|'[^']*'|[^\s"'&,;<>}]+)/gi, '$1$2[removed]'],
];

/**
 * @param secrets the current secrets, asked for at each call because tokens change. Each is removed as it is and as
 * JSON, URLs and forms write it.
 */
export function createRedact(secrets: () => readonly (string | null)[]): Redact {
  return (text) => {
    let shown = text;
    for (const form of secrets().flatMap(writtenForms)) shown = shown.replaceAll(form, '[removed]');
    for (const [shape, replacement] of SECRET_SHAPES) shown = shown.replace(shape, replacement);
    return shown;
  };
}

/** Longest first, so that no rest of an encoded form stays behind. */
function writtenForms(secret: string | null): string[] {
  if (secret === null || secret === '') return [];
  const formEncoded = new URLSearchParams([['', secret]]).toString().slice(1);
  const forms = new Set([secret, JSON.stringify(secret).slice(1, -1), formEncoded, formEncoded.replaceAll('+', '%20')]);
  return [...forms].sort((a, b) => b.length - a.length);
}

/** The first characters of a body as one line a person can read: markup, line breaks and secrets removed. */
export function excerpt(body: string, redact: Redact): string {
  const text = /^\s*</.test(body)
    ? body.replace(/<(style|script)[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ')
    : body;
  const line = redact(text)
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return line.length <= 200 ? line : `${line.slice(0, 200)}…`;
}
