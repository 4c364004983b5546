import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createRedact, MIN_SECRET_LENGTH, redactShapes } from '../src/errors/redact.ts';

/** The ways in which servers and libraries write a value. */
const FORMS: readonly ((secret: string) => string)[] = [
  (secret) => secret,
  (secret) => JSON.stringify(secret).slice(1, -1),
  (secret) => encodeURIComponent(secret),
  (secret) => encodeURIComponent(secret).replace(/%[0-9A-F]{2}/g, (code) => code.toLowerCase()),
  (secret) => new URLSearchParams([['', secret]]).toString().slice(1),
  (secret) => secret.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;'),
];

const secretText = fc.oneof(
  fc.string({ minLength: MIN_SECRET_LENGTH, maxLength: 24 }),
  fc.string({ unit: 'grapheme', minLength: MIN_SECRET_LENGTH, maxLength: 12 }),
  // Texts that are part of what replaces a secret, or of a message.
  fc.constantFrom('removed', 'moved', '[removed]', 'token', 'password', '$1$2$3', '\\d+.*', '.....', '     '),
);

describe('redaction', () => {
  it(`leaves no secret of ${MIN_SECRET_LENGTH} or more characters in a text, in any form and between any others`, () => {
    const surroundings = fc.array(fc.string({ maxLength: 8 }), { minLength: 1, maxLength: 6 });
    fc.assert(
      fc.property(
        fc.array(secretText, { minLength: 1, maxLength: 3 }),
        surroundings,
        fc.nat(5),
        (secrets, texts, first) => {
          const written = texts.map((text, at) => {
            const form = FORMS[(first + at) % FORMS.length] as (typeof FORMS)[number];
            return `${text}${form(secrets[at % secrets.length] as string)}`;
          });
          const shown = createRedact(() => secrets)(written.join(''));
          // The marks may contain a secret such as "moved", which they do not reveal.
          const kept = shown.split('[removed]');
          const found = secrets.flatMap((secret) => FORMS.map((form) => form(secret)));
          expect(found.filter((form) => kept.some((part) => part.includes(form)))).toEqual([]);
        },
      ),
      { numRuns: 400 },
    );
  });

  it.each([
    ['p', 'the run stops at page 5', 'the run stops at page 5'],
    ['p', 'https://h/auth?user=u&key=p&x=1 {"key":"p"}', 'https://h/auth?user=u&key=[removed]&x=1 {"key":"[removed]"}'],
    ['50', 'status 500, 50 of 150', 'status 500, [removed] of 150'],
    ['é', 'café é', 'café [removed]'],
    ['demo', 'edrlake demote, as demo', 'edrlake demote, as [removed]'],
    ['a+b', 'x=a%2Bb&y=a+b', 'x=[removed]&y=[removed]'],
    ['', 'nothing', 'nothing'],
  ])('removes the short secret %j only as a whole word', (secret, text, shown) => {
    expect(createRedact(() => [secret, null])(text)).toBe(shown);
  });

  it('removes the parts of one secret that another one contains', () => {
    expect(createRedact(() => ['secret', 'secret-word'])('a secret-word, a secret')).toBe('a [removed], a [removed]');
  });

  it.each([
    ['authorization: Basic YTpi', 'authorization: [removed] [removed]'],
    ['Bearer abc.def', 'Bearer [removed]'],
    ['{"password": "x y"}', '{"password": [removed]}'],
    ['eyJhbGciOiJ9.eyJz', '[token]'],
  ])('removes the shape of a secret in %j', (text, shown) => {
    expect(redactShapes(text)).toBe(shown);
  });
});
