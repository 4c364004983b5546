import { type Deprecation, isoInstant } from '@edrlake/core';
import type { HttpHeaders } from '../sliding-window/limit-headers.ts';

/**
 * What an answer says about the end of its endpoint: `Deprecation` (RFC 9745: `@1767225600`; earlier drafts: `true` or
 * a date) and `Sunset` (RFC 8594: a date). null where it says nothing. A date that cannot be read is no reason to say
 * nothing.
 * @param path of the request; ids in the path of one event are left out
 */
export function readDeprecation(headers: HttpHeaders, path: string): Deprecation | null {
  const deprecation = firstOf(headers.deprecation);
  const sunset = firstOf(headers.sunset);
  const isDeprecated = deprecation !== null && !/^(\?0|false)$/i.test(deprecation);
  if (!isDeprecated && sunset === null) return null;
  return {
    path: path.replace(/\/events\/.*$/, (rest) => (rest.startsWith('/events/count') ? rest : '/events/…')),
    deprecatedAt: isDeprecated ? dateOf(deprecation) : null,
    sunsetAt: sunset === null ? null : dateOf(sunset),
  };
}

function firstOf(value: string | readonly string[] | undefined): string | null {
  const text = (typeof value === 'string' ? value : (value?.[0] ?? '')).trim();
  return text === '' ? null : text;
}

function dateOf(text: string): string | null {
  const seconds = /^@(\d{1,11})$/.exec(text)?.[1];
  const ms = seconds === undefined ? Date.parse(text) : Number(seconds) * 1_000;
  return Number.isNaN(ms) || !/\d{4}|^@/.test(text) ? null : isoInstant(ms);
}
