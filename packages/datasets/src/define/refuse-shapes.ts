import { COLUMN_TYPES, EdrlakeError } from '@edrlake/core';

type Members = Readonly<Record<string, unknown>>;

/**
 * Refuses a definition whose parts are not there or are of another type, as a program without types may give it: all of
 * it at once, before anything is made of it.
 * @throws {EdrlakeError} `CONFIG_INVALID`
 */
export function refuseShapes(definition: unknown): void {
  const faults = isObject(definition) ? definitionFaults(definition) : ['expected an object'];
  if (faults.length === 0) return;
  throw new EdrlakeError('CONFIG_INVALID', `the definition of a dataset cannot be read: ${faults.join('; ')}`, {
    hint: 'Correct its definition; docs/datasets.md says what each part may be.',
  });
}

function definitionFaults({ name, identity, times, tables, shape }: Members): string[] {
  const { event, processed } = membersOf(times);
  const { events, children = {} } = membersOf(tables);
  const { leftovers = [], wrapperMembers = [] } = membersOf(shape);
  return [
    ...textFault('name', name),
    ...textFault('identity', identity),
    ...textFault('times.event', event),
    ...textFault('times.processed', processed),
    ...tableFaults('tables.events', events),
    ...(isObject(children) ? [] : ['tables.children: expected an object with a table for each name']),
    ...Object.entries(membersOf(children)).flatMap(([table, child]) => [
      ...tableFaults(`tables.children.${table}`, child),
      ...textFault(`tables.children.${table}.arrays`, membersOf(child).arrays),
    ]),
    ...textsFault('shape.leftovers', leftovers),
    ...textsFault('shape.wrapperMembers', wrapperMembers),
  ];
}

function tableFaults(at: string, table: unknown): string[] {
  const { columns, sortBy = [] } = membersOf(table);
  const found = Array.isArray(columns) ? columns.flatMap((column, place) => columnFault(at, column, place)) : null;
  return [...(found ?? [`${at}.columns: expected a list of columns`]), ...textsFault(`${at}.sortBy`, sortBy)];
}

function columnFault(at: string, column: unknown, place: number): string[] {
  const { name, type, paths, meaning } = membersOf(column);
  const isMade = typeof name === 'string' && typeof meaning === 'string' && isTexts(paths);
  if (!isMade) return [`${at}.columns[${place}]: expected a column of field or fromEvent`];
  if (COLUMN_TYPES.some((known) => known === type)) return [];
  return [`${at}.columns.${name}: expected a type of ${COLUMN_TYPES.join(', ')}, found ${JSON.stringify(type)}`];
}

function textFault(at: string, value: unknown): string[] {
  return typeof value === 'string' && value !== '' ? [] : [`${at}: expected a text`];
}

function textsFault(at: string, value: unknown): string[] {
  return isTexts(value) ? [] : [`${at}: expected a list of texts`];
}

function isTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((text) => typeof text === 'string');
}

function isObject(value: unknown): value is Members {
  return typeof value === 'object' && value !== null;
}

function membersOf(value: unknown): Members {
  return isObject(value) ? value : {};
}
