import type { RecordSpec } from '../spec/record-spec.ts';
import { isSection, type JsonValue, memberOf } from './json-tree.ts';

/** The member that wrappers hold a record in. */
const WRAPPED = 'data';

/**
 * Returns the record inside a wrapper, `{"sortValues":[…],"data":{…}}`, with the wrapper's other members; any other
 * value as it is. A wrapper is an object without a member that the tables know. Its `data` is an object with a member
 * for each required column, and without a member of the same name as another one of the wrapper. The page scan, which
 * does the same for bulk, never shows a wrapper to the SQL.
 */
export function wrappedRecord({ shape, events }: RecordSpec, record: JsonValue): JsonValue {
  if (!isSection(record)) return record;
  const data = memberOf(record, WRAPPED);
  if (!isSection(data)) return record;
  const others = Object.entries(record).filter(([name]) => name !== WRAPPED);
  const required = shape.required.map((column) => events.columns.find(({ name }) => name === column)?.paths ?? []);
  const isWhole = required.every((names) => names.some((name) => memberOf(data, name) !== undefined));
  const isKnown = (name: string) => shape.members.some((member) => member.name === name);
  const isClear = others.every(([name]) => !isKnown(name) && memberOf(data, name) === undefined);
  return isWhole && isClear ? Object.fromEntries([...Object.entries(data), ...others]) : record;
}
