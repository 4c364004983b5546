import { MAX_DEPTH, type ScanState, stop } from '../json/scan-state.ts';
import { afterColon, afterGap, scalarEnd, stringEnd, valueEnd } from '../json/scan-values.ts';
import { hasSeparator, isBlankText, isPlainTime, unescapedDigits } from '../json/typed-values.ts';
import { type FieldEntry, type FieldSection, type FieldTable, slotOf } from './field-table.ts';
import { edit, hide, normalisedPathEnd, type RecordEdits, takeBackEdits } from './record-edits.ts';

// The codes of `KIND_CODES` as literals: names from another module would be looked up for each member. Kinds up to
// `TEXT` are text.
const PATH = 1;
const TEXT = 3;
const INTEGER = 4;
const BIGINT = 5;
const BOOLEAN = 6;
const TIMESTAMP = 7;
const LEFTOVER = 9;
const SECTION = 10;
const LIST = 11;

/** The position of an id field's value. `from` is -1 where there is none. */
export interface IdPlace {
  from: number;
  to: number;
  escaped: boolean;
}

/** The members of one element of a list that no column takes. */
export interface ElementExtra {
  /** The position of its closing brace. */
  readonly endAt: number;
  /** Positions of members: from, to, from, to, … */
  readonly members: readonly number[];
}

/** The scan of a page's records, one after the other. */
export interface RecordScan extends RecordEdits {
  readonly known: FieldTable;
  /** One for each id field: its position in the current record. */
  readonly ids: readonly IdPlace[];
  /** `known.objects` when the current record began. */
  record: number;
  /** Bits of the required columns that the current record fills. */
  filled: number;
  /** Elements of lists with members that no column takes: the end of each, and the positions of the members. */
  readonly elements: ElementExtra[];
}

/**
 * Scans the record (or any other value in its place) at `at`; `state.irregular` shows whether it fits the shape. Every
 * byte takes this path: names are compared with the next expected one, four bytes at a time.
 */
export function recordEnd(scan: RecordScan, at: number): number {
  const { state, known, ids } = scan;
  state.irregular = false;
  scan.filled = 0;
  scan.record = known.objects + 1;
  for (const id of ids) id.from = -1;
  if (scan.elements.length > 0) scan.elements.length = 0;
  if (scan.edits.length > 0) scan.edits.length = 0;
  clearExtra(known.root);
  if (state.bytes[at] !== 0x7b) {
    state.irregular = true;
    return valueEnd(state, at, 1);
  }
  const end = objectEnd(scan, known.root, at, 1);
  if (scan.filled !== known.required) state.irregular = true;
  if (scan.edits.length > 0 && (state.irregular || state.starved)) takeBackEdits(scan);
  return end;
}

function clearExtra(section: FieldSection): void {
  section.hasExtra = false;
  if (section.extra.length > 0) section.extra.length = 0;
  if (section.unknownNames.size > 0) section.unknownNames.clear();
  for (const below of section.subsections) clearExtra(below);
}

function objectEnd(scan: RecordScan, section: FieldSection, from: number, depth: number): number {
  const { state } = scan;
  const { bytes, words } = state;
  const { members, follower } = section;
  const object = ++scan.known.objects;
  let at = afterGap(state, from + 1);
  if (bytes[at] === 0x7d) return at + 1;
  let previous = 0;
  for (;;) {
    const nameAt = at;
    let member = members[follower[previous] as number];
    if (member !== undefined && hasName(words, at, member)) {
      at += member.byteLength;
      if ((bytes[at] as number) <= 0x20) at = afterGap(state, at);
    } else {
      if (bytes[at] !== 0x22) return stop(state, at, 'a field name');
      state.escaped = false;
      at = stringEnd(state, at + 1);
      member = state.escaped ? escapedMember(scan, section, nameAt, at) : namedMember(state, section, nameAt, at);
      if (member !== undefined) follower[previous] = member.index;
      at = afterColon(state, at);
    }
    if (member === undefined) {
      at = unknownEnd(scan, section, nameAt, at, depth);
    } else {
      previous = member.index;
      if (member.seenIn === object) state.irregular = true;
      member.seenIn = object;
      at = memberEnd(scan, section, member, nameAt, at, depth);
    }
    if ((bytes[at] as number) <= 0x20) at = afterGap(state, at);
    if (bytes[at] === 0x2c) {
      at++;
      if ((bytes[at] as number) <= 0x20) at = afterGap(state, at);
    } else if (bytes[at] === 0x7d) {
      return at + 1;
    } else return stop(state, at, '"," or "}"');
  }
}

function hasName(words: DataView, at: number, { words: wanted, masks }: FieldEntry): boolean {
  for (let i = 0; i < wanted.length; i++) {
    if (((words.getInt32(at + 4 * i, true) ^ (wanted[i] as number)) & (masks[i] as number)) !== 0) return false;
  }
  return true;
}

/** The member whose name is in quotes at [from, to). */
function namedMember({ bytes }: ScanState, { names }: FieldSection, from: number, to: number): FieldEntry | undefined {
  if (to - from <= 2) return undefined;
  let found = names.slots[slotOf(bytes, from + 1, to - 1, names.factor, names.slots.length)];
  while (found !== undefined && !isNameAt(bytes, from, to, found.name)) found = found.twin;
  return found;
}

function isNameAt(bytes: Buffer, from: number, to: number, name: Buffer): boolean {
  if (name.length !== to - from) return false;
  for (let at = from; at < to; at++) if (bytes[at] !== name[at - from]) return false;
  return true;
}

/** A name with an escape makes a record irregular, but may be that of an id field. */
function escapedMember(
  { state }: RecordScan,
  { members }: FieldSection,
  nameAt: number,
  nameEnd: number,
): FieldEntry | undefined {
  state.irregular = true;
  if (state.starved) return undefined;
  const name = Buffer.from(JSON.stringify(JSON.parse(state.bytes.toString('utf8', nameAt, nameEnd))));
  return members.find((member) => member !== undefined && name.equals(member.name));
}

/** After a member that the shape does not have: it becomes part of the extra. */
function unknownEnd(scan: RecordScan, section: FieldSection, nameAt: number, at: number, depth: number): number {
  const { state, known } = scan;
  const end = valueEnd(state, at, depth + 1);
  if (known.isOpen || state.irregular || state.starved) return end;
  const name = state.bytes.toString('latin1', nameAt + 1, state.bytes.indexOf(0x22, nameAt + 1));
  const isOurs = name.startsWith('#');
  if (isOurs || section.unknownNames.has(name)) {
    state.irregular = true;
    return end;
  }
  addExtra(state, section, nameAt, at, end);
  section.unknownNames.add(name);
  return end;
}

function addExtra({ bytes }: ScanState, section: FieldSection, nameAt: number, valueAt: number, end: number): void {
  // null has no value.
  if (bytes[valueAt] === 0x6e) return;
  section.extra.push(nameAt, end);
  for (let above: FieldSection | null = section; above !== null && !above.isElement; above = above.parent) {
    above.hasExtra = true;
  }
}

/** After the value of a known member. */
function memberEnd(
  scan: RecordScan,
  section: FieldSection,
  member: FieldEntry,
  nameAt: number,
  at: number,
  depth: number,
): number {
  const { state } = scan;
  const byte = state.bytes[at] as number;
  if (byte === 0x22) {
    const end = memberStringEnd(state, member, at);
    if (state.starved) return end;
    if (member.kind <= TEXT && member.idRank < 0 && isBlankText(state.bytes, at + 1, end - 1)) {
      hide(scan, nameAt);
      return end;
    }
    const textEnd = member.kind < TEXT ? pathTextEnd(scan, member.kind, at, end) : end;
    if (member.requiredBit !== 0 && isFilled(state.bytes, at)) scan.filled |= member.requiredBit;
    if (member.idRank >= 0) noteId(scan, member, at, textEnd);
    if (member.shared !== null) checkShared(scan, member, at, textEnd);
    if (member.kind === LEFTOVER) addExtra(state, section, nameAt, at, end);
    return end;
  }
  if (byte === 0x7b && member.kind === SECTION) {
    return objectEnd(scan, member.section as FieldSection, at, depth + 1);
  }
  if (byte === 0x5b && member.kind === LIST) return listEnd(scan, member.section as FieldSection, at, depth + 1);
  if (byte === 0x7b || byte === 0x5b) {
    if (member.kind === LEFTOVER) {
      const end = valueEnd(state, at, depth + 1);
      addExtra(state, section, nameAt, at, end);
      return end;
    }
    // An identity stays as it was delivered: in brackets it is none, also when the line is read again.
    const mayUnwrap = member.kind <= TEXT && member.shared === null && member.idRank < 0;
    if (byte === 0x5b && mayUnwrap) return unwrappedEnd(scan, member.kind, nameAt, at, depth);
    if (member.kind <= TIMESTAMP || member.kind >= SECTION) state.irregular = true;
    return valueEnd(state, at, depth + 1);
  }
  const end = scalarEnd(state, at);
  if (byte === 0x6e) return end;
  if (!isPlainScalar(state, member.kind, at, end)) state.irregular = true;
  scan.filled |= member.requiredBit;
  if (member.idRank >= 0) noteId(scan, member, at, end);
  if (member.shared !== null) checkShared(scan, member, at, end);
  if (member.kind === LEFTOVER) addExtra(state, section, nameAt, at, end);
  return end;
}

/**
 * After an array in the place of text. An array with one value, or with none, equals that value or blank text: its
 * brackets are removed. Any other makes the record irregular.
 */
function unwrappedEnd(scan: RecordScan, kind: number, nameAt: number, from: number, depth: number): number {
  const { state } = scan;
  const { bytes } = state;
  const end = valueEnd(state, from, depth + 1);
  if (state.starved) return end;
  const first = afterGap(state, from + 1);
  const byte = bytes[first] as number;
  const isEmpty = first === end - 1;
  if (isEmpty || byte === 0x5b || byte === 0x7b) {
    if (isEmpty) hide(scan, nameAt);
    else state.irregular = true;
    return end;
  }
  const last = valueEnd(state, first, depth + 2);
  const isSingle = afterGap(state, last) === end - 1;
  const isPlain = isSingle && (byte > 0x39 || byte === 0x22 || unescapedDigits(bytes, first, last, 18));
  if (isPlain && byte === 0x22 && isBlankText(bytes, first + 1, last - 1)) hide(scan, nameAt);
  else if (isPlain) {
    edit(scan, from, 0x20);
    edit(scan, end - 1, 0x20);
    if (kind < TEXT && byte === 0x22) pathTextEnd(scan, kind, first, last);
  } else state.irregular = true;
  return end;
}

/**
 * Returns the end of a string with a path, or with a file name, in the form that SQL accepts. A name with a separator
 * makes the record irregular.
 */
function pathTextEnd(scan: RecordScan, kind: number, at: number, end: number): number {
  const { state } = scan;
  if (kind !== PATH) {
    if (hasSeparator(state.bytes, at + 1, end - 1)) state.irregular = true;
    return end;
  }
  return state.irregular ? end : normalisedPathEnd(scan, at, end);
}

/** After a string; irregular where it is not of the member's kind. */
function memberStringEnd(state: ScanState, { kind, idRank }: FieldEntry, at: number): number {
  if (kind === TIMESTAMP && isPlainTime(state, at + 1)) return at + 30;
  if (idRank >= 0) state.escaped = false;
  const end = stringEnd(state, at + 1);
  if (kind > TEXT && kind <= TIMESTAMP && !isPlainString(state.bytes, kind, at + 1, end - 1)) state.irregular = true;
  else if (kind >= SECTION) state.irregular = true;
  return end;
}

/** Certainly not blank: the text begins with a visible character that is not an escape. */
function isFilled(bytes: Buffer, quoteAt: number): boolean {
  const first = bytes[quoteAt + 1] as number;
  return first > 0x20 && first !== 0x22 && first !== 0x5c;
}

function isPlainString(bytes: Buffer, kind: number, from: number, to: number): boolean {
  if (kind === INTEGER) return unescapedDigits(bytes, from, to, 9);
  if (kind === BIGINT) return unescapedDigits(bytes, from, to, 18);
  if (kind === BOOLEAN) return to - from <= 5 && /^(?:true|false)$/i.test(bytes.toString('latin1', from, to));
  // A time that is only spaces has no value.
  for (let at = from; at < to; at++) if (bytes[at] !== 0x20) return false;
  return true;
}

/** A number, true or false. */
function isPlainScalar({ bytes }: ScanState, kind: number, from: number, to: number): boolean {
  const isNumber = (bytes[from] as number) <= 0x39;
  if (kind <= TEXT) return !isNumber || unescapedDigits(bytes, from, to, 18);
  if (kind === INTEGER) return isNumber && unescapedDigits(bytes, from, to, 9);
  if (kind === BIGINT) return isNumber && unescapedDigits(bytes, from, to, 18);
  if (kind === BOOLEAN) return !isNumber;
  return kind > TIMESTAMP && kind < SECTION;
}

function noteId({ ids, state }: RecordScan, { idRank }: FieldEntry, from: number, to: number): void {
  const id = ids[idRank] as IdPlace;
  // Of a name that comes twice the first counts.
  if (id.from >= 0) return;
  id.from = from;
  id.to = to;
  id.escaped = state.escaped;
}

/** Alternatives for one column with different values make a record irregular. */
function checkShared({ state, record }: RecordScan, { shared }: FieldEntry, from: number, to: number): void {
  if (shared === null) return;
  const { bytes } = state;
  if (shared.record === record && bytes.compare(bytes, shared.from, shared.to, from, to) !== 0) state.irregular = true;
  shared.record = record;
  shared.from = from;
  shared.to = to;
}

/** After an array of objects of one kind. */
function listEnd(scan: RecordScan, element: FieldSection, from: number, depth: number): number {
  const { state } = scan;
  const { bytes } = state;
  if (depth >= MAX_DEPTH) return stop(state, from, `at most ${MAX_DEPTH} nested brackets`);
  let at = afterGap(state, from + 1);
  if (bytes[at] === 0x5d) return at + 1;
  for (;;) {
    if (bytes[at] === 0x7b) at = elementEnd(scan, element, at, depth + 1);
    else {
      state.irregular = true;
      at = valueEnd(state, at, depth + 1);
    }
    at = afterGap(state, at);
    if (bytes[at] === 0x5d) return at + 1;
    if (bytes[at] !== 0x2c) return stop(state, at, '"," or "]"');
    at = afterGap(state, at + 1);
  }
}

function elementEnd(scan: RecordScan, element: FieldSection, from: number, depth: number): number {
  const { extra, unknownNames } = element;
  if (extra.length > 0) extra.length = 0;
  if (unknownNames.size > 0) unknownNames.clear();
  const end = objectEnd(scan, element, from, depth);
  if (extra.length > 0) scan.elements.push({ endAt: end - 1, members: [...extra] });
  return end;
}
