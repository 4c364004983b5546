import { EVENTS } from '../spec/events-table.ts';
import { RECORD_SHAPE } from '../spec/record-shape.ts';
import { isSection, type JsonValue, memberOf } from './json-tree.ts';

/** The member that wrappers hold a record in. */
const WRAPPED = 'data';

const KNOWN = new Set(RECORD_SHAPE.members.map(({ name }) => name));

/** For each required column the names that may fill it. */
const REQUIRED = RECORD_SHAPE.required.map((column) => EVENTS.columns.find(({ name }) => name === column)?.paths ?? []);

/**
 * Of a wrapper, `{"sortValues":[…],"data":{…}}`, the record in it with the wrapper's other members; any other value as it is. A wrapper
 * is an object none of whose members the tables know; its `data` is an object that has a member for each required column, and
 * none by the name of another of the wrapper's. The page scan, which does the same for bulk, never shows a wrapper to the SQL.
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
