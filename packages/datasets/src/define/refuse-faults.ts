import {
  type ColumnSpec,
  type Dataset,
  EdrlakeError,
  type ProcessColumns,
  type ProcessNames,
  type TableSpec,
} from '@edrlake/core';

/** Tables and views of every lake, and temporary tables of a batch. */
const TAKEN_TABLES =
  'events rejects coverage commits windows process_edges identity pages irregular_events irregular_records'.split(' ');

/** Columns that rows have while they are flattened and compared. */
const TAKEN_COLUMNS = new Set(
  `id_hash content_hash file_index place irregular record reject_reason reject_path broken_reason broken_record struct
  element elements array_json is_irregular window_no rowid`.split(/\s+/),
);

/** A set of bits says what is irregular in a record: two for each section, and one for its own members. */
const MAX_SECTIONS = 30;

const NAME = /^[a-z][a-z0-9_]{0,62}$/;
const MEMBER = /^[A-Za-z_@][\w@-]*$/;

/**
 * Refuses what the flattening SQL, the lake or its views cannot work with, all of it at once.
 * @throws {EdrlakeError} `CONFIG_INVALID`
 */
export function refuseFaults(dataset: Dataset): void {
  const faults = faultsOf(dataset);
  if (faults.length === 0) return;
  throw new EdrlakeError('CONFIG_INVALID', `the dataset "${dataset.name}" cannot work: ${faults.join('; ')}`, {
    hint: 'Correct its definition; docs/datasets.md says what each part may be.',
  });
}

function faultsOf({ name, tables, leftovers, processes, customer }: Dataset): string[] {
  const [events, ...rest] = tables as readonly [TableSpec, ...TableSpec[]];
  const children = rest.slice(0, -1);
  const whole = events.columns.filter(({ type }) => type === 'json').flatMap(({ paths }) => paths);
  const arrays = children.flatMap((table) => table.arrays ?? []);
  const inRecord = [...events.columns.flatMap(({ paths }) => paths), ...arrays, ...leftovers];
  const names = children.map((table) => table.name);
  return [
    ...(/^[a-z][a-z0-9]*(-[a-z0-9]+)*$/.test(name) ? [] : ['its name must be lower-case words with hyphens']),
    ...names
      .filter((table, at) => !NAME.test(table) || TAKEN_TABLES.includes(table) || names.indexOf(table) < at)
      .map((table) => `no table can be called ${table}`),
    ...[events, ...children].flatMap(columnFaults),
    ...events.columns.flatMap((column) => eventColumnFaults(column, events, whole)),
    ...children.flatMap((table) => childFaults(table, events)),
    ...inRecord.filter(isTakenMember).map((path) => `${path} is a name that reading files uses`),
    ...pathFaults(inRecord, whole),
    ...processFaults(processes, events),
    ...(customer === undefined ||
    events.columns.some(({ name: column, type }) => column === customer && type === 'text')
      ? []
      : [`the customer needs a text column events.${customer}`]),
  ];
}

/** Ids are numbers, a start is a time, all else is text. */
function processFaults(processes: ProcessColumns | undefined, events: TableSpec): string[] {
  if (processes === undefined) return [];
  const { host, subject, actor } = processes;
  return [{ host }, subject, actor].flatMap((names: Partial<ProcessNames> & { readonly host?: string }) =>
    Object.entries(names).flatMap(([part, column]) => {
      const expected = part === 'started' ? 'timestamp' : part === 'id' || part === 'parent' ? 'bigint' : 'text';
      const isThere = events.columns.some(({ name, type }) => name === column && type === expected);
      return isThere ? [] : [`processes need a ${expected} column events.${column}`];
    }),
  );
}

/** DuckDB's name for the position of a file among those that are read, in any case. */
function isTakenMember(path: string): boolean {
  return /^file_index(\.|$)/i.test(path);
}

function columnFaults(table: TableSpec): string[] {
  const names = table.columns.map(({ name }) => name);
  const at = (name: string) => `${table.name}.${name}`;
  return [
    ...names
      .filter((name, place) => !NAME.test(name) || name.startsWith('lake_') || names.indexOf(name) < place)
      .map((name) => `${at(name)} is no name, or one that is there already`),
    ...names.filter((name) => TAKEN_COLUMNS.has(name)).map((name) => `${at(name)} is a name that flattening uses`),
    ...table.sortBy.filter((name) => !names.includes(name)).map((name) => `${at(name)} is sorted by, but no column`),
    ...table.columns
      .filter((column) => !isRuleOfType(column))
      .map(({ name }) => `${at(name)} has a rule of another type`),
    ...table.columns
      .filter(({ type, paths }) => type === 'date' && paths.length > 0)
      .map(({ name }) => `${at(name)} is a date, which no field can feed: take timestamp`),
  ];
}

function isRuleOfType({ type, rule, parts }: ColumnSpec): boolean {
  if ((rule === 'file-path') !== (parts !== undefined)) return false;
  if (rule === undefined) return true;
  return type === (rule === 'creation-time' || rule === 'validity' ? 'timestamp' : 'text');
}

function eventColumnFaults(column: ColumnSpec, events: TableSpec, whole: readonly string[]): string[] {
  const { name, type, paths, parts } = column;
  const faults: string[] = [];
  const columnOf = (path: string) => events.columns.find((other) => other.paths[0] === path);
  if ((name === 'event_type' || name === 'agent_id') && type !== 'text') faults.push(`${name} must be text`);
  if ((name === 'event_id' || name === 'event_time') && paths.some((path) => path.includes('.'))) {
    faults.push(`${paths.join(' ')} must be at the top of a record, because ${name} comes from it`);
  }
  if (type === 'json' && (paths.length > 1 || paths[0]?.includes('.'))) {
    faults.push(`events.${name} keeps a section whole: it takes one field at the top of a record`);
  }
  const inside = paths.filter((path) => whole.some((section) => path.startsWith(`${section}.`)));
  if (inside.length > 0 && (paths.length > 1 || paths[0]?.split('.').length !== 2)) {
    faults.push(`events.${name} comes from a section that is kept whole: it takes one field directly in it`);
  }
  if (parts !== undefined) {
    const isMade = columnOf(parts.directory)?.rule === 'path' && columnOf(parts.name)?.type === 'text';
    if (!isMade || inside.length > 0) {
      faults.push(
        `events.${name} is composed of ${parts.directory} (a path) and ${parts.name} (a text), which no columns have`,
      );
    }
  }
  return faults;
}

function childFaults({ name, arrays, arrayColumn, columns }: TableSpec, events: TableSpec): string[] {
  const found = arrays ?? [];
  const faults: string[] = [];
  if (found.length === 0) faults.push(`${name} names no array`);
  if (found.length > 1 && arrayColumn === undefined) faults.push(`${name} has several arrays: give it an arrayColumn`);
  const paths = columns.flatMap((column) => column.paths);
  if (paths.length === 0) faults.push(`${name} takes no field of its elements`);
  for (const path of paths.filter((path) => path.includes('.'))) {
    faults.push(`${name} takes ${path}, expected a member of the element itself`);
  }
  for (const column of columns.filter(({ rule }) => rule === 'file-path')) {
    faults.push(`${name}.${column.name} is composed, which only columns of events are`);
  }
  // The page scan compares alternatives in a record, not in its elements: what one of them says would be lost.
  for (const column of columns.filter((column) => column.paths.length > 1)) {
    faults.push(`${name}.${column.name} has alternatives, which only columns of events have`);
  }
  const ownNames = [arrayColumn, 'position', 'extra'];
  for (const column of columns.filter((column) => column.paths.length === 0 && !ownNames.includes(column.name))) {
    const same = events.columns.find((other) => other.name === column.name);
    if (same?.type !== column.type) faults.push(`${name}.${column.name} is no ${column.type} column of events`);
  }
  return [...faults, ...pathFaults(paths, [])];
}

/** Each path is one field: no field can be an object with known members as well, or be read in two ways. */
function pathFaults(paths: readonly string[], whole: readonly string[]): string[] {
  const sections = new Set(paths.flatMap((path) => sectionsAbove(path)));
  const isClash = (path: string, at: number) =>
    paths.indexOf(path) < at || (sections.has(path) && !whole.includes(path));
  return [
    ...paths
      .filter((path) => !path.split('.').every((member) => MEMBER.test(member)))
      .map((path) => `${path} is no path`),
    ...paths.filter(isClash).map((path) => `${path} is named twice, or has members that are named too`),
    ...(sections.size > MAX_SECTIONS ? [`more than ${MAX_SECTIONS} sections are named`] : []),
  ];
}

function sectionsAbove(path: string): string[] {
  const names = path.split('.');
  return names.slice(1).map((_, depth) => names.slice(0, depth + 1).join('.'));
}
