import { HEX_DIGIT, isScalar, SCALAR_BYTE, SIMPLE_ESCAPE } from './json-bytes.ts';
import { MAX_DEPTH } from './scan-state.ts';

/** Why a record is refused. These texts are the reasons in the table of rejects; scripts may match them. */
export type Damage = 'too large' | 'not UTF-8' | 'control character in a string' | 'nested too deeply' | 'not JSON';

/** The most open brackets. With more it is not a record: finding its end is not worth the memory. */
const MAX_OPEN_BRACKETS = 1_048_576;

/** The longest name or value that is read from a damaged record, in bytes. */
const MAX_TOKEN_BYTES = 1_024;

/** The member in which wrappers have a record. */
const WRAPPED = 'data';

// What may come next.
const VALUE = 0;
const VALUE_OR_END = 1;
const NAME = 2;
const NAME_OR_END = 3;
const COLON = 4;
const COMMA_OR_END = 5;
const STRING = 6;
const SCALAR = 7;

/** Finds the end of one damaged or very large record, in pieces. */
export interface RecordSkim {
  /**
   * Reads bytes from `from`. Returns the position after the record, `'more'` where it continues after `end`, or
   * where in the bytes its brackets, quotes and commas are not JSON: then its end is unknown, and it cannot go on. Line
   * breaks between tokens become spaces.
   */
  take(bytes: Buffer, from: number, end: number): number | 'more' | { readonly lostAt: number };
  /** The damage found in it; null where there is none. */
  readonly damage: Exclude<Damage, 'too large' | 'not UTF-8'> | null;
  /** Members by name that could be read for certain, as JSON text: of the record, or of the one that it wraps. */
  readonly fields: ReadonlyMap<string, string>;
}

/**
 * Finds the end of a record by its structure: RFC 8259, except that strings may have any bytes and escapes, numbers and
 * words may be invalid, and brackets may nest up to a million deep. So the end is certain, or it is not found here.
 * @param wanted names of members of the record, or of the one that it wraps, whose values are read
 */
export function skimRecord(wanted: ReadonlySet<string>): RecordSkim {
  const brackets = bracketStack();
  const own = fieldReader(wanted);
  const wrapped = fieldReader(wanted);
  let expected = VALUE;
  let damage: RecordSkim['damage'] = null;
  let isName = false;
  const text = stringText();
  let isWrapped = false;
  let reader: FieldReader | null = null;

  const spoil = (kind: Exclude<RecordSkim['damage'], null>) => {
    damage ??= kind;
    reader?.spoil();
  };
  /** The reader of the members at this depth. */
  const readerHere = () => {
    if (brackets.depth === 1) return own;
    return brackets.depth === 2 && isWrapped ? wrapped : null;
  };
  const begin = (state: number) => {
    const here = brackets.isObject() ? readerHere() : null;
    reader = isName || here?.isWanted() ? here : null;
    reader?.begin();
    expected = state;
  };
  const endToken = () => {
    if (isName) {
      reader?.endName();
      if (brackets.depth === 1) isWrapped = own.name === WRAPPED;
      expected = COLON;
    } else {
      reader?.endValue();
      expected = COMMA_OR_END;
    }
    reader = null;
    isName = false;
  };
  const open = (isObject: boolean): boolean => {
    if (brackets.depth >= MAX_OPEN_BRACKETS) return false;
    readerHere()?.endName(null);
    brackets.push(isObject);
    if (brackets.depth >= MAX_DEPTH) damage ??= 'nested too deeply';
    expected = isObject ? NAME_OR_END : VALUE_OR_END;
    return true;
  };
  const inString = (byte: number) => {
    reader?.add(byte);
    const found = text.take(byte);
    if (found === 'cut end') spoil('not JSON');
    if (found === 'end' || found === 'cut end') endToken();
    else if (found !== null) spoil(found);
  };
  /** Whether the byte may be between tokens. */
  const between = (byte: number): boolean => {
    const isNameExpected = expected === NAME || expected === NAME_OR_END;
    if (byte === 0x22 && (isNameExpected || expected <= VALUE_OR_END)) {
      isName = isNameExpected;
      begin(STRING);
      reader?.add(byte);
      return true;
    }
    if (expected <= VALUE_OR_END && (byte === 0x7b || byte === 0x5b)) return open(byte === 0x7b);
    if (closes(byte, brackets.isObject(), expected)) {
      brackets.pop();
      expected = COMMA_OR_END;
      return true;
    }
    if (byte === 0x2c && expected === COMMA_OR_END) expected = brackets.isObject() ? NAME : VALUE;
    else if (byte === 0x3a && expected === COLON) expected = VALUE;
    else if (expected <= VALUE_OR_END && SCALAR_BYTE[byte] === 1) {
      begin(SCALAR);
      scalar.add(byte);
      reader?.add(byte);
    } else return false;
    return true;
  };
  const scalar = scalarText(() => spoil('not JSON'));
  /** A quote too many may have ended the last value. */
  const lose = (lostAt: number) => {
    damage = 'not JSON';
    own.forgetLast();
    wrapped.forgetLast();
    return { lostAt };
  };

  return {
    take(bytes, from, end) {
      for (let at = from; at < end; at++) {
        if (expected === STRING && reader === null) at = text.skip(bytes, at, end);
        if (at === end) break;
        const byte = bytes[at] as number;
        if (expected === STRING) inString(byte);
        else if (expected === SCALAR && SCALAR_BYTE[byte] === 1) {
          scalar.add(byte);
          reader?.add(byte);
          continue;
        } else {
          if (expected === SCALAR) {
            scalar.end();
            endToken();
          }
          if (byte <= 0x20) {
            if (byte === 0x0a || byte === 0x0d || byte === 0x09) bytes[at] = 0x20;
            else if (byte !== 0x20) return lose(at);
          } else if (!between(byte)) return lose(at);
        }
        if (expected === COMMA_OR_END && brackets.depth === 0) return at + 1;
      }
      return 'more';
    },
    get damage() {
      return damage;
    },
    get fields() {
      return own.fields.size > 0 ? own.fields : wrapped.fields;
    },
  };
}

/** Whether a byte closes the innermost bracket where that may be closed. */
function closes(byte: number, isObject: boolean, expected: number): boolean {
  if (byte === 0x7d) return isObject && (expected === NAME_OR_END || expected === COMMA_OR_END);
  return byte === 0x5d && !isObject && (expected === VALUE_OR_END || expected === COMMA_OR_END);
}

/** The kinds of the open brackets, one bit each. */
function bracketStack() {
  let bits = new Uint8Array(256);
  let depth = 0;
  return {
    get depth() {
      return depth;
    },
    /** Whether the innermost one is a brace. */
    isObject: () => depth > 0 && (((bits[(depth - 1) >> 3] as number) >> ((depth - 1) & 7)) & 1) === 1,
    push(isObject: boolean) {
      if (depth >> 3 >= bits.length) {
        const larger = new Uint8Array(2 * bits.length);
        larger.set(bits);
        bits = larger;
      }
      const mask = 1 << (depth & 7);
      const byte = bits[depth >> 3] as number;
      bits[depth >> 3] = isObject ? byte | mask : byte & ~mask;
      depth++;
    },
    pop() {
      depth--;
    },
  };
}

/**
 * Follows the content of strings, byte by byte, to find the quote that ends one, and bytes that are not allowed in a
 * string.
 */
function stringText() {
  /** 1 after a backslash, 2 to 5 at the digits of `\u`. */
  let escaping = 0;
  return {
    /** The next position that may end the string or be damaged. */
    skip(bytes: Buffer, from: number, end: number): number {
      let at = from;
      if (escaping > 0) return at;
      for (let byte = bytes[at] as number; at < end && byte !== 0x22 && byte !== 0x5c && byte >= 0x20; ) {
        byte = bytes[++at] as number;
      }
      return at;
    },
    take(byte: number): 'end' | 'cut end' | 'not JSON' | 'control character in a string' | null {
      if (escaping === 1) {
        escaping = byte === 0x75 ? 2 : 0;
        return byte === 0x75 || SIMPLE_ESCAPE[byte] === 1 ? null : 'not JSON';
      }
      if (escaping > 1 && HEX_DIGIT[byte] === 1) {
        escaping = escaping === 5 ? 0 : escaping + 1;
        return null;
      }
      const isCut = escaping > 1;
      escaping = byte === 0x5c ? 1 : 0;
      // A byte that interrupts the digits is read as itself.
      if (byte === 0x22) return isCut ? 'cut end' : 'end';
      if (byte < 0x20) return 'control character in a string';
      return isCut ? 'not JSON' : null;
    },
  };
}

/** Checks the text of a number or a word of any length: of a longer one than any number, only the beginning. */
function scalarText(misspelt: () => void) {
  const bytes = Buffer.alloc(MAX_TOKEN_BYTES);
  let length = 0;
  return {
    add(byte: number) {
      if (length < bytes.length) bytes[length] = byte;
      length++;
    },
    end() {
      if (length > bytes.length || !isScalar(bytes, 0, length)) misspelt();
      length = 0;
    },
  };
}

interface FieldReader {
  readonly fields: ReadonlyMap<string, string>;
  /** The name of the current member; null where it cannot be read. */
  readonly name: string | null;
  /** Whether the value of the current member is wanted. */
  isWanted(): boolean;
  begin(): void;
  add(byte: number): void;
  /** The current token is damaged: none of it is certain. */
  spoil(): void;
  /** @param read null: forget the name, because its value is not a single one */
  endName(read?: null): void;
  endValue(): void;
  /** The value that was read last is not certain. */
  forgetLast(): void;
}

/** Collects the single values of members with wanted names. A value that comes twice, or is damaged, is not certain. */
function fieldReader(wanted: ReadonlySet<string>): FieldReader {
  const fields = new Map<string, string>();
  const seen = new Set<string>();
  const token = Buffer.alloc(MAX_TOKEN_BYTES);
  let length = 0;
  let isSpoilt = false;
  let name: string | null = null;
  const parsed = (): unknown => {
    const text = token.toString('utf8', 0, length);
    if (isSpoilt || length > MAX_TOKEN_BYTES || !Buffer.from(text).equals(token.subarray(0, length))) return undefined;
    return JSON.parse(text);
  };
  return {
    fields,
    get name() {
      return name;
    },
    isWanted: () => name !== null && wanted.has(name),
    begin() {
      length = 0;
      isSpoilt = false;
    },
    add(byte) {
      if (length < MAX_TOKEN_BYTES) token[length] = byte;
      length++;
    },
    spoil() {
      isSpoilt = true;
    },
    endName(read) {
      const text = read === null ? null : parsed();
      name = typeof text === 'string' && wanted.has(text) ? text : null;
      if (typeof text === 'string' && text === WRAPPED) name = WRAPPED;
      if (name === null || !wanted.has(name)) return;
      if (seen.has(name)) {
        fields.delete(name);
        name = null;
      } else seen.add(name);
    },
    endValue() {
      if (name === null || !wanted.has(name)) return;
      const value = parsed();
      // An unpaired surrogate is not text.
      const isText = typeof value !== 'string' || Buffer.from(value).toString() === value;
      if (value !== undefined && value !== null && isText) fields.set(name, token.toString('utf8', 0, length));
    },
    forgetLast() {
      if (name !== null) fields.delete(name);
    },
  };
}
