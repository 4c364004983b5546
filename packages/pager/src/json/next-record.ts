/** Bytes that may have to be kept back: more white space than that is between no two records. */
const MAX_HELD_BYTES = 65_536;

/** A name that is matched as it is written. */
const PLAIN_NAME = /^\{[ \t\r\n]*"([\w.$@-]{1,64})"/;

/** Finds where a record ends whose structure is damaged: before the next one, or before the end of the page. */
export interface NextRecord {
  /** Follows the bytes of a record, and of what comes after it. Returns the end of the record once that is known. */
  follow(bytes: Buffer, from: number, to: number): number | null;
  /** From here on the structure is unknown: what looked like another record before was a part of this one. */
  begin(): void;
  /** Bytes at the end of what was followed that may be behind the record. */
  readonly held: number;
  /**
   * As many of them as are behind the record if the page ends here; null where it does not look like that, or where
   * something else than this kind of record may have begun meanwhile.
   */
  readonly heldAtEnd: number | null;
}

/** The name of the first member of a record; null where it has none that is plain, or is no object. */
export function firstNameOf(bytes: Buffer, from: number, to: number): string | null {
  return PLAIN_NAME.exec(bytes.toString('latin1', from, Math.min(to, from + 256)))?.[1] ?? null;
}

// What was read last, white space aside: a closing brace, and so on to the colon behind a name.
const NOTHING = 0;
const BRACE = 1;
const COMMA = 2;
const OPENED = 3;
const NAMED = 4;

/**
 * Records of one page begin with the same member: `},{"id":` is between two of them, without the brace where it is
 * missing, and is in no string that is escaped. A list of other records inside of one may look alike; then brackets or
 * numbers of the page do not add up.
 */
export function nextRecord(firstName: string): NextRecord {
  const name = Buffer.from(`"${firstName}"`);
  let hasBegun = false;
  let read = NOTHING;
  /** Bytes of the name that were read. */
  let matched = 0;
  /** Bytes since the record may have ended. */
  let since = 0;
  let isOtherSeen = false;
  const end = endOfPage();

  const isBoundary = (byte: number): boolean => {
    since++;
    if (matched > 0 && matched < name.length) {
      if (byte === name[matched]) matched++;
      else leave(byte, true);
      return false;
    }
    if (isBlank(byte)) return false;
    if (read === BRACE && byte === 0x2c) read = COMMA;
    else if ((read === BRACE || read === COMMA) && byte === 0x7b) read = OPENED;
    else if (read === OPENED && byte === 0x22) [read, matched] = [NAMED, 1];
    else if (read === NAMED && byte === 0x3a) {
      leave(byte, !hasBegun);
      return hasBegun;
    } else leave(byte, read >= OPENED);
    return false;
  };
  const leave = (byte: number, isOther: boolean) => {
    isOtherSeen ||= isOther;
    read = byte === 0x7d ? BRACE : byte === 0x2c ? COMMA : NOTHING;
    matched = 0;
    // A comma is behind the record, a brace is not.
    since = read === COMMA ? 1 : 0;
  };

  return {
    follow(bytes, from, to) {
      for (let at = from; at < to; at++) {
        const byte = bytes[at] as number;
        const behind = since;
        if (isBoundary(byte)) return at - behind;
        end.read(byte);
        if (since > MAX_HELD_BYTES) leave(0, false);
      }
      return null;
    },
    begin() {
      hasBegun = true;
      isOtherSeen = false;
    },
    get held() {
      return Math.max(read === NOTHING ? 0 : since, end.held ?? 0);
    },
    get heldAtEnd() {
      return isOtherSeen ? null : end.held;
    },
  };
}

function isBlank(byte: number): boolean {
  return byte === 0x20 || byte === 0x0a || byte === 0x0d || byte === 0x09;
}

/** Looks for the end of a page: a brace, the bracket of the list, and what closes an object around it. */
function endOfPage() {
  /** Bytes since the brace before the bracket, and since the last brace; null: there is none. */
  let behind: number | null = null;
  let sinceBrace: number | null = null;
  return {
    get held(): number | null {
      return behind;
    },
    read(byte: number) {
      if (sinceBrace !== null) sinceBrace++;
      if (behind !== null) behind++;
      if (byte === 0x7d) sinceBrace = 0;
      else if (byte === 0x5d) {
        behind = sinceBrace;
        sinceBrace = null;
      } else if (!isBlank(byte)) [behind, sinceBrace] = [null, null];
      if ((behind ?? 0) > MAX_HELD_BYTES || (sinceBrace ?? 0) > MAX_HELD_BYTES) [behind, sinceBrace] = [null, null];
    },
  };
}
