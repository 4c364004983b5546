import type { ScanState } from '../json/scan-state.ts';
import { afterColon, afterGap, stringEnd, valueEnd } from '../json/scan-values.ts';
import type { FieldTable } from './field-table.ts';

/** The members in which wrappers have a record; the latter in a search engine's own answer. */
const WRAPPED: readonly string[] = ['data', '_source'];

interface Member {
  readonly name: string;
  readonly from: number;
  readonly valueAt: number;
  readonly to: number;
}

/**
 * Turns a wrapper, `{"sortValues":[…],"data":{…}}` or `{"_id":…,"_source":{…}}`, into the record in it, with the
 * wrapper's other members at its end: it overwrites the wrapper, with spaces after it. A wrapper is an object without a
 * member of the shape; its first `data` or `_source` is an object that has a member for each required column, and none
 * with the name of another member of the wrapper. All other objects stay unchanged.
 * @param from, to a whole object that has been scanned
 */
export function unwrapRecord(state: ScanState, known: FieldTable, from: number, to: number): boolean {
  const wrapper = membersOf(state, from);
  const data = wrapper.find(({ name }) => WRAPPED.includes(name));
  if (data === undefined || state.bytes[data.valueAt] !== 0x7b) return false;
  // Of a name that comes twice the first counts.
  const others = wrapper.filter(({ name }) => name !== data.name);
  const inside = membersOf(state, data.valueAt);
  const namesInside = new Set(inside.map(({ name }) => name));
  if (requiredIn(known, namesInside) !== known.required) return false;
  const knownNames = known.topLevel;
  if (others.some(({ name }) => knownNames.has(name) || namesInside.has(name))) return false;
  const { bytes } = state;
  const pieces = [bytes.subarray(data.valueAt, data.to - 1)];
  for (const other of others) pieces.push(Buffer.from(','), bytes.subarray(other.from, other.to));
  const record = Buffer.concat([...pieces, Buffer.from('}')]);
  record.copy(bytes, from);
  bytes.fill(0x20, from + record.length, to);
  return true;
}

/** Bits of the required columns for which there is a member. */
export function requiredIn({ topLevel }: FieldTable, names: ReadonlySet<string>): number {
  let bits = 0;
  for (const [name, bit] of topLevel) if (names.has(name)) bits |= bit;
  return bits;
}

/** The members of the object at `from`, which is known to be whole and valid. */
function membersOf(state: ScanState, from: number): Member[] {
  const { bytes } = state;
  const members: Member[] = [];
  let at = afterGap(state, from + 1);
  while (bytes[at] === 0x22) {
    const nameEnd = stringEnd(state, at + 1);
    const valueAt = afterColon(state, nameEnd);
    const to = valueEnd(state, valueAt, 2);
    members.push({ name: nameOf(bytes, at, nameEnd), from: at, valueAt, to });
    at = afterGap(state, to);
    if (bytes[at] === 0x2c) at = afterGap(state, at + 1);
  }
  return members;
}

function nameOf(bytes: Buffer, from: number, to: number): string {
  const text = bytes.toString('utf8', from, to);
  return text.includes('\\') ? (JSON.parse(text) as string) : text.slice(1, -1);
}
