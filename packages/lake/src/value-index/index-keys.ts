import { hash } from 'node:crypto';
import type { Observable } from '@edrlake/core';
import type { Sought } from '../indicators/indicator.ts';

/** SQL of a list: a name, and each name above it, in lower case. */
export function namesAboveSql(value: string): string {
  const labels = `string_split(rtrim(lower(${value}), '.'), '.')`;
  const above = `list_transform(range(1, len(labels) + 1), lambda i: array_to_string(labels[i:], '.'))`;
  return `(SELECT ${above} FROM (SELECT ${labels} AS labels))`;
}

/** Dotted IPv4 addresses; all other texts in a column of addresses share one key. */
const DOTTED = String.raw`\d{1,3}\.\d{1,3}\.\d{1,3}\.\d{1,3}`;
const OTHER_ADDRESSES = 'net:other';

/** Octets that networks are indexed by. */
const OCTETS = [1, 2, 3] as const;

/** SQL of a list: the texts by which a value is found. */
export function keyTextsSql(observable: Observable, value: string): string {
  if (observable === 'domain') return namesAboveSql(value);
  if (observable !== 'ip') return `[lower(${value})]`;
  const nets = OCTETS.map((count) => `'net:' || array_to_string(string_split(${value}, '.')[:${count}], '.')`);
  return `CASE WHEN regexp_full_match(${value}, '${DOTTED}')
    THEN [${value}, ${nets.join(', ')}] ELSE [lower(${value}), '${OTHER_ADDRESSES}'] END`;
}

/**
 * SQL of the key of a text: 40 bits of the MD5 of kind and text, the same in every version of DuckDB. Two texts may
 * share one, which costs a read.
 */
export function keySql(observable: string, text: string): string {
  return `(md5_number(${observable} || ':' || lower(${text})) & 1099511627775::UHUGEINT)::BIGINT`;
}

/**
 * The key of a text, as `keySql` computes it; null where only DuckDB can say, because its lower case of a letter beyond
 * ASCII may be another one.
 */
export function keyOf(observable: string, text: string): number | null {
  const plain = `${observable}:${text.toLowerCase()}`;
  return /^[\0-\x7f]*$/.test(text) ? hash('md5', plain, 'buffer').readUIntLE(0, KEY_BYTES) : null;
}

/** The lowest 40 bits of the number that DuckDB reads an MD5 as. */
const KEY_BYTES = 5;

/** The texts by which something sought is found; null where the index cannot say. */
export function soughtTexts({ observable, how, value }: Sought): readonly string[] | null {
  if (how === 'wildcard') return null;
  if (how !== 'network') return [value];
  const [address = '', bits = ''] = value.split('/');
  if (address.includes(':')) return address.includes('.') || isMapped(address) ? null : [OTHER_ADDRESSES];
  const octets = Math.floor(Number(bits) / 8);
  if (octets === 0 || observable !== 'ip') return null;
  const prefix = address.split('.').slice(0, Math.min(octets, 3)).join('.');
  return [`net:${prefix}`, OTHER_ADDRESSES];
}

/** Whether an IPv6 network may hold IPv4 addresses: a wide one, or one below `::ffff:`. */
function isMapped(address: string): boolean {
  return /^(?:0{0,4}:){1,7}/.test(address) || address.startsWith('::');
}
