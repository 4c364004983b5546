import { sameBytes } from './json-bytes.ts';

/** Finds the identity of one record after another while its top-level keys and scalars go by. */
export interface RecordIds {
  /** Of the records that ended, in order; null where there is none. */
  readonly ids: (string | null)[];
  /** A top-level key of the current record ended; its value comes next. */
  key(bytes: Buffer, from: number, to: number, escaped: boolean): void;
  /** Whether the value that comes next may be the identity. */
  wanted(): boolean;
  /** The value of the last key ended: a string's content or a scalar's text. */
  value(bytes: Buffer, from: number, to: number, kind: 'string' | 'escaped-string' | 'scalar'): void;
  recordEnd(): void;
}

/** @param idFields the first of them that is a number or a string that is not blank is the identity */
export function recordIds(idFields: readonly string[]): RecordIds {
  const names = idFields.map((name) => Buffer.from(name));
  const found: (string | null)[] = idFields.map(() => null);
  const ids: (string | null)[] = [];
  let rank = -1;
  return {
    ids,
    key(bytes, from, to, escaped) {
      rank = -1;
      if (escaped) {
        rank = idFields.indexOf(unescaped(bytes, from, to));
        return;
      }
      for (let i = 0; i < names.length; i++) {
        if (sameBytes(names[i] as Buffer, bytes, from, to)) rank = i;
      }
    },
    wanted: () => rank >= 0,
    value(bytes, from, to, kind) {
      found[rank] = kind === 'escaped-string' ? unescaped(bytes, from, to) : bytes.toString('utf8', from, to);
      if (kind === 'scalar' && !NUMBER_START.test(found[rank] as string)) found[rank] = null;
      rank = -1;
    },
    recordEnd() {
      let id: string | null = null;
      for (let i = 0; i < found.length; i++) {
        const value = found[i] as string | null;
        if (id === null && value !== null && value.trim() !== '') id = value;
        found[i] = null;
      }
      rank = -1;
      ids.push(id);
    },
  };
}

const NUMBER_START = /^[-0-9]/;

/** The text of a string whose content was checked already: the same id must be the same text however it is escaped. */
function unescaped(bytes: Buffer, from: number, to: number): string {
  return JSON.parse(`"${bytes.toString('utf8', from, to)}"`) as string;
}
