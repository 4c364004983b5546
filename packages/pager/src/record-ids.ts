import { sameBytes } from './json-bytes.ts';

/** Finds the identity of one record after another while its top-level keys and scalars go by. */
export interface RecordIds {
  /** Of the records that ended, in order; null where there is none. */
  readonly ids: (string | null)[];
  /** Whether any id field's name is that long. */
  mayBeField(nameBytes: number): boolean;
  /** A top-level key of the current record ended; says whether the value that comes next may be the identity. */
  key(bytes: Buffer, from: number, to: number, escaped: boolean): boolean;
  /** The value of the last key ended: a string's content or a scalar's text. */
  value(bytes: Buffer, from: number, to: number, kind: 'string' | 'escaped-string' | 'scalar'): void;
  recordEnd(): void;
}

/** @param idFields the first of them that is a number or a string that is not blank is the identity */
export function recordIds(idFields: readonly string[]): RecordIds {
  const names = idFields.map((name) => Buffer.from(name));
  const found: (string | null)[] = idFields.map(() => null);
  const ids: (string | null)[] = [];
  // One bit for each length up to 31; longer names are always compared.
  const lengths = names.reduce((bits, name) => bits | (name.length > 31 ? 0 : 1 << name.length), 0);
  let rank = -1;
  return {
    ids,
    key(bytes, from, to, escaped) {
      rank = escaped
        ? idFields.indexOf(unescaped(bytes, from, to))
        : names.findIndex((name) => sameBytes(name, bytes, from, to));
      return rank >= 0;
    },
    mayBeField: (nameBytes) => nameBytes > 31 || ((lengths >>> nameBytes) & 1) === 1,
    value(bytes, from, to, kind) {
      found[rank] = kind === 'escaped-string' ? unescaped(bytes, from, to) : bytes.toString('utf8', from, to);
      if (kind === 'scalar' && !NUMBER_START.test(found[rank] as string)) found[rank] = null;
    },
    recordEnd() {
      let id: string | null = null;
      for (let i = 0; i < found.length; i++) {
        const value = found[i] as string | null;
        if (id === null && value !== null && value.trim() !== '') id = value;
        found[i] = null;
      }
      ids.push(id);
    },
  };
}

const NUMBER_START = /^[-0-9]/;

/** The text of a string whose content was checked already: the same id must be the same text however it is escaped. */
function unescaped(bytes: Buffer, from: number, to: number): string {
  return JSON.parse(`"${bytes.toString('utf8', from, to)}"`) as string;
}
