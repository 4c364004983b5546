import { EVENTS } from '../spec/events-table.ts';
import { RECORD_SHAPE } from '../spec/record-shape.ts';
import { isSection, type JsonValue, memberOf } from './json-tree.ts';

/** The member that wrappers hold a record in. */
const WRAPPED = 'data';

const KNOWN = new Set(RECORD_SHAPE.members.map(({ name }) => name));

/** For each required column the names that may fill it. */
const REQUIRED = RECORD_SHAPE.required.map((column) => EVENTS.columns.find(({ name }) => name === column)?.paths ?? []);

/**
 * Returns the record inside a wrapper, `{"sortValues":[…],"data":{…}}`, with the wrapper's other members; any other
 * value as it is. A wrapper is an object without a member that the tables know. Its `data` is an object with a member
 * for each required column, and without a member of the same name as another one of the wrapper. The page scan, which
 * does the same for bulk, never shows a wrapper to the SQL.
 */
export function wrappedRecord(record: JsonValue): JsonValue {
  if (!isSection(record)) return record;
  const data = memberOf(record, WRAPPED);
  if (!isSection(data)) return record;
  const others = Object.entries(record).filter(([name]) => name !== WRAPPED);
  const isWhole = REQUIRED.every((names) => names.some((name) => memberOf(data, name) !== undefined));
  const isClear = others.every(([name]) => !KNOWN.has(name) && memberOf(data, name) === undefined);
  return isWhole && isClear ? Object.fromEntries([...Object.entries(data), ...others]) : record;
}
