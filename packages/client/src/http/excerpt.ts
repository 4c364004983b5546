import type { Redact } from '@edrlake/core';

/** Characters of a body that are searched for the shown ones: markup may come first. */
const MAX_READ = 65_536;

/** The first characters of a body as one readable line: markup, line breaks and secrets removed. */
export function excerpt(body: string, redact: Redact): string {
  // Before and after the markup is removed: it may divide a secret, and a secret may look like markup.
  const line = redact(withoutMarkup(redact(body.slice(0, MAX_READ))))
    .replace(/[\s\p{Cc}]+/gu, ' ')
    .trim();
  return line.length <= 200 ? line : `${line.slice(0, 200)}…`;
}

function withoutMarkup(text: string): string {
  if (!/^\s*</.test(text)) return text;
  return text.replace(/<(style|script)[\s\S]*?<\/\1>/gi, ' ').replace(/<[^>]*>/g, ' ');
}
