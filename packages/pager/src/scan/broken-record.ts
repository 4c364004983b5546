import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { SPOOL_BROKEN, SPOOL_MEMBERS } from '@edrlake/core';
import { nextRecord } from '../json/next-record.ts';
import { type Damage, skimRecord } from '../json/skim-record.ts';
import type { FieldTable } from './field-table.ts';

/** The bytes that are kept of a record that is too large for a line. */
const PREFIX_BYTES = 1_048_576;

/** An unreadable record on its way to the spool. */
export interface BrokenRecord {
  /**
   * Reads bytes from `from`, where those that it held back come again. Returns the position after the record, `'more'`
   * where it continues after `end`, or `'lost'` where its end cannot be found.
   * @param isLast the page ends at `end`
   */
  take(bytes: Buffer, from: number, end: number, isLast: boolean): number | 'more' | 'lost';
  /** Bytes before `end` that may be behind the record: they have to come again with the next ones. */
  readonly held: number;
  /** Its line without the line break, once it was read completely. Where its tokens are valid, it is too large. */
  line(): Buffer;
  /** Its members that could be read for certain, as the text of a JSON object. */
  readonly fields: Buffer;
}

/**
 * Reads a record that is damaged or too large. Memory: as many bytes as a line may have, and less once the record has
 * more.
 * @param maxRecordBytes the longest line, and the longest record that is not a reject
 * @param firstName of the first member of the page's records: where the structure is damaged, the record ends before
 * the next such one. null: not known, and its end cannot be found then
 */
export function brokenRecord(known: FieldTable, maxRecordBytes: number, firstName: string | null): BrokenRecord {
  const skim = skimRecord(known.singleNames);
  const next = firstName === null ? null : nextRecord(firstName);
  let isLost = false;
  const hash = createHash('sha256');
  const prefixBytes = Math.min(PREFIX_BYTES, Math.ceil(maxRecordBytes / 16));
  let kept: Buffer[] = [];
  let keptBytes = 0;
  let size = 0;
  let held = 0;
  const keep = (bytes: Buffer) => {
    hash.update(bytes);
    size += bytes.length;
    if (size > maxRecordBytes) {
      if (keptBytes > prefixBytes) kept = [Buffer.from(Buffer.concat(kept).subarray(0, prefixBytes))];
      keptBytes = Math.min(keptBytes, prefixBytes);
    }
    const wanted = size > maxRecordBytes ? Math.max(0, prefixBytes - keptBytes) : bytes.length;
    if (wanted === 0) return;
    kept.push(Buffer.from(bytes.subarray(0, wanted)));
    keptBytes += Math.min(wanted, bytes.length);
  };
  const read = (bytes: Buffer, from: number, end: number, isLast: boolean): number | 'more' | 'lost' => {
    let at = from;
    if (!isLost) {
      const after = skim.take(bytes, from, end);
      if (typeof after === 'number') return after;
      if (after !== 'more') {
        isLost = true;
        next?.follow(bytes, from, after.lostAt);
        next?.begin();
        at = after.lostAt;
      }
    }
    const found = next?.follow(bytes, at, end) ?? null;
    if (found !== null) return found;
    if (!isLost || (!isLast && next !== null)) return 'more';
    const behind = next?.heldAtEnd ?? null;
    return behind === null ? 'lost' : end - behind;
  };
  const fieldsText = () => `{${[...skim.fields].map(([name, value]) => `${JSON.stringify(name)}:${value}`).join(',')}}`;
  return {
    take(bytes, from, end, isLast) {
      const after = read(bytes, from + held, end, isLast);
      held = after === 'more' && next !== null ? next.held : 0;
      keep(bytes.subarray(from, typeof after === 'number' ? after : end - held));
      return after;
    },
    get held() {
      return held;
    },
    line() {
      const whole = Buffer.concat(kept);
      const lineOf = (reason: Damage, record: unknown) => {
        const rejected = `{"reason":${JSON.stringify(reason)},"fields":${JSON.stringify(fieldsText())},"record":${JSON.stringify(record)}}`;
        return Buffer.from(JSON.stringify({ [SPOOL_MEMBERS.irregular]: SPOOL_BROKEN + rejected }));
      };
      const damage = isUtf8(whole) ? skim.damage : 'not UTF-8';
      if (size <= maxRecordBytes) {
        const line = lineOf(damage ?? 'too large', damage === 'not UTF-8' ? bytesAsJson(whole) : whole.toString());
        if (line.length <= maxRecordBytes) return line;
      }
      const prefix = wholeCharacters(whole.subarray(0, prefixBytes));
      const rest = { '#bytes': size, '#sha256': hash.copy().digest('hex') };
      const isTooLarge = size > maxRecordBytes || damage === null;
      return lineOf(isTooLarge ? 'too large' : damage, { ...bytesAsJson(prefix), ...rest });
    },
    get fields() {
      return Buffer.from(fieldsText());
    },
  };
}

/** Bytes as text; in addition as base64 where that would change them. */
function bytesAsJson(bytes: Buffer): Readonly<Record<string, string>> {
  const text = { '#text': bytes.toString() };
  return isUtf8(bytes) ? text : { ...text, '#base64': bytes.toString('base64') };
}

/** Without an incomplete character at the end. */
function wholeCharacters(bytes: Buffer): Buffer {
  for (let cut = 0; cut < 4 && cut < bytes.length; cut++) {
    const shorter = bytes.subarray(0, bytes.length - cut);
    if (isUtf8(shorter)) return shorter;
  }
  return bytes;
}
