import { type EdrlakeError, PARTIAL_MEMBERS, REST_MEMBERS, saysMore, saysPartial } from '@edrlake/core';
import { broken, type ScanState, stop } from '../json/scan-state.ts';
import { afterColon, afterGap, stringEnd, valueEnd } from '../json/scan-values.ts';
import type { FieldTable } from './field-table.ts';
import { requiredIn } from './unwrap-record.ts';

/** What may come next outside of records. The last ones only in an object around the array. */
export type Expected = 'array' | 'record or end' | 'record' | 'separator' | 'nothing' | 'member' | 'next member';

const WANTED: Readonly<Record<Expected, string>> = {
  array: 'a JSON array, or an object with one in "data", "events", "items", "content" or "hits"',
  member: 'a field name',
  'next member': '"," or "}"',
  'record or end': 'a record or "]"',
  record: 'a record',
  separator: '"," or "]"',
  nothing: 'nothing after the array',
};

const quoted = (name: string) => Buffer.from(`"${name}"`);

/** The names of the array in an object around it. */
const LIST_NAMES = ['data', 'events', 'items', 'content', 'hits'].map(quoted);

/** A search engine's own answer has the array one object deeper: `{"hits":{"total":…,"hits":[…]}}`. */
const HITS = quoted('hits');

/**
 * An object around the array of records. Its other members are about the page, not about a record: they are skipped.
 */
export function pageEnvelope(
  state: ScanState,
  known: FieldTable,
  { maxMemberBytes, recordsBefore }: { readonly maxMemberBytes: number; readonly recordsBefore: number | null },
) {
  /** Open objects around the list. */
  let depth = 0;
  /** A record may have a member of such a name, so it counts only when the object turns out to be an envelope. */
  let isPartial = false;
  let hasMore = false;
  const isNamed = (name: Buffer, from: number, to: number) => name.equals(state.bytes.subarray(from, to));
  const envelope = {
    isInList: false,
    hadList: false,
    /**
     * From the bracket that opens the object to the first record in its list. Where it has no list, but a member for
     * each column that a record must have, it is a record itself. Sets `starved` where that has not come yet.
     */
    open(from: number): { at: number; expected: Expected } {
      const names = new Set<string>();
      let at = from + 1;
      for (depth = 1; ; ) {
        at = afterGap(state, at);
        const nameEnd = state.bytes[at] === 0x22 ? stringEnd(state, at + 1) : at;
        const valueAt = nameEnd === at ? at : afterColon(state, nameEnd);
        if (depth === 1 && state.bytes[valueAt] === 0x7b && isNamed(HITS, at, nameEnd)) {
          depth = 2;
          at = valueAt + 1;
          continue;
        }
        const isEmpty = state.bytes[at] === 0x7d;
        const end = isEmpty ? at : envelope.memberEnd(at, state.bytes[at] ?? 0);
        if (state.starved && state.end - from > maxMemberBytes) throw broken(state, from, WANTED.array);
        if (state.starved) return { at: from, expected: 'array' };
        if (envelope.isInList) return { at: end, expected: 'record or end' };
        if (depth === 1 && !isEmpty) names.add(state.bytes.toString('utf8', at + 1, nameEnd - 1));
        at = afterGap(state, end);
        while (depth === 2 && state.bytes[at] === 0x7d) {
          depth = 1;
          at = afterGap(state, at + 1);
        }
        if (state.bytes[at] === 0x2c) at++;
        else if (at >= state.end) state.starved = true;
        else if (state.bytes[at] === 0x7d && isRecord(known, names)) return { at: from, expected: 'record' };
        else throw unexpected(state, at, 'next member');
        if (state.starved) return { at: from, expected: 'array' };
      }
    },
    /** After the bracket that closes an object around the list. */
    close(at: number): Expected {
      if (isPartial) throw broken(state, at, 'the whole result: a member says that it is not,');
      if (hasMore && state.recordCount === 0)
        throw broken(state, at, 'records: the list is empty, a member says more,');
      depth--;
      return depth === 0 ? 'nothing' : 'next member';
    },
    /** Whether no list has begun. */
    isListless: (expected: Expected) => expected === 'array',
    endList(): Expected {
      envelope.isInList = false;
      return depth === 0 ? 'nothing' : 'next member';
    },
    /** After a member, or after the bracket that opens the list of records. */
    memberEnd(at: number, byte: number): number {
      if (byte !== 0x22) return stop(state, at, WANTED.member);
      const nameEnd = stringEnd(state, at + 1);
      const valueAt = afterColon(state, nameEnd);
      const names = depth === 2 ? [HITS] : LIST_NAMES;
      const isList = state.bytes[valueAt] === 0x5b && names.some((name) => isNamed(name, at, nameEnd));
      if (isList && envelope.hadList) throw broken(state, valueAt, 'one list of records');
      const end = isList ? valueAt + 1 : valueEnd(state, valueAt, 2);
      if (state.starved && state.end - at > maxMemberBytes) throw broken(state, at, 'a member whose end is near');
      if (!isList && !state.starved) {
        const [name, value] = memberIn(state, { at, nameEnd, valueAt, end });
        isPartial ||= saysPartial(name, value);
        hasMore ||= saysMore(name, value, recordsBefore);
      }
      if (isList && !state.starved) {
        envelope.isInList = true;
        envelope.hadList = true;
      }
      return end;
    },
  };
  return envelope;
}

interface MemberSpan {
  readonly at: number;
  readonly nameEnd: number;
  readonly valueAt: number;
  readonly end: number;
}

/** The value only of a member that may say something about the result. */
function memberIn({ bytes }: ScanState, { at, nameEnd, valueAt, end }: MemberSpan): [name: string, value: unknown] {
  const name = bytes.toString('utf8', at + 1, nameEnd - 1);
  const isTelling = PARTIAL_MEMBERS.has(name) || REST_MEMBERS.has(name);
  return [name, isTelling ? JSON.parse(bytes.toString('utf8', valueAt, end)) : undefined];
}

function isRecord(known: FieldTable, names: ReadonlySet<string>): boolean {
  return known.required !== 0 && requiredIn(known, names) === known.required;
}

/** The error of a byte that may not come here. */
export function unexpected(state: ScanState, at: number, expected: Expected): EdrlakeError {
  const isHtml = expected === 'array' && state.bytes[at] === 0x3c;
  const isListless = expected === 'next member' && state.bytes[at] === 0x7d;
  return broken(state, at, isHtml ? 'a JSON array, not HTML,' : WANTED[isListless ? 'array' : expected]);
}
