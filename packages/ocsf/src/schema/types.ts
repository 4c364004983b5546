import type { OcsfVersion } from './facts.ts';

/** How the values of a type are written. */
export interface TypeFacts {
  /** The DuckDB type in the files. */
  readonly stored: 'VARCHAR' | 'INTEGER' | 'BIGINT' | 'BOOLEAN' | 'DOUBLE';
  /** A regular expression (RE2) that the whole text must match. */
  readonly pattern?: string;
  readonly maxLength?: number;
  /** Bounds of a number, both included. */
  readonly range?: readonly [number, number];
}

const OCTET = '(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])';
const IPV4 = `${OCTET}(?:\\.${OCTET}){3}`;
const H = '[0-9A-Fa-f]{1,4}';
/** Each place where `::` may leave groups out. */
const IPV6 = [
  `(?:${H}:){7}${H}`,
  ...[1, 2, 3, 4, 5, 6].map((before) => `(?:${H}:){${before}}(?::${H}){1,${7 - before}}`),
  `(?:${H}:){1,7}:`,
  `:(?::${H}){1,7}`,
  '::',
].join('|');
const LABEL = '[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?';

const TEXT: TypeFacts = { stored: 'VARCHAR' };

const TYPES: Readonly<Record<string, TypeFacts | Readonly<Record<OcsfVersion, TypeFacts>>>> = {
  string_t: { '1.3.0': { stored: 'VARCHAR', maxLength: 65_535 }, '1.8.0': TEXT },
  integer_t: { stored: 'INTEGER' },
  long_t: { stored: 'BIGINT' },
  timestamp_t: { stored: 'BIGINT' },
  float_t: { stored: 'DOUBLE' },
  boolean_t: { stored: 'BOOLEAN' },
  json_t: TEXT,
  ip_t: { stored: 'VARCHAR', pattern: `${IPV4}|${IPV6}`, maxLength: 40 },
  mac_t: { stored: 'VARCHAR', pattern: '(?:[0-9A-Fa-f]{2}[:-]){5}[0-9A-Fa-f]{2}', maxLength: 32 },
  hostname_t: { '1.3.0': { stored: 'VARCHAR', pattern: `(?:${LABEL}\\.)*${LABEL}` }, '1.8.0': TEXT },
  file_hash_t: { '1.3.0': { stored: 'VARCHAR', maxLength: 64 }, '1.8.0': TEXT },
  port_t: { stored: 'INTEGER', range: [0, 65_535] },
  file_name_t: TEXT,
  file_path_t: TEXT,
  process_name_t: TEXT,
  username_t: TEXT,
  reg_key_path_t: TEXT,
};

/** @returns null for the name of an object */
export function typeFacts(type: string, version: OcsfVersion): TypeFacts | null {
  const facts = TYPES[type];
  if (facts === undefined) return null;
  return 'stored' in facts ? facts : facts[version];
}
