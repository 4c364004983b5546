import { nounText, rowMeaning, type TableSpec } from '@edrlake/core';
import { type FoundEvent, type FoundRow, type QueryValue, valueText } from '@edrlake/lake';
import { pairsText, tableText } from '../text/table-text.ts';
import { oneLine } from '../text/text-width.ts';

/** What each row of an event repeats of the event itself. */
const REPEATED: ReadonlySet<string> = new Set(['event_date', 'event_id', 'event_time', 'position']);

/** An event with all its rows as plain data: `event` by column, the other tables as lists. */
export function eventDocument({ eventId, version, tables, lostFiles }: FoundEvent) {
  const [events, ...children] = tables;
  return {
    eventId,
    version,
    event: events?.rows[0]?.values ?? null,
    ...Object.fromEntries(children.map(({ table, rows }) => [table, rows.map(({ values }) => values)])),
    ...(lostFiles.length > 0 && { lostFiles }),
  };
}

/**
 * An event with all its rows: columns that have a value, those of one section below its name, and a table for each
 * child table. Ends with a line break.
 * @param width of a line in cells
 */
export function eventText(
  { eventId, tables, lostFiles }: FoundEvent,
  specs: readonly TableSpec[],
  width: number,
): string {
  const [events, ...children] = tables;
  const parts = [`Event ${oneLine(eventId)}`, '', columnsText(events?.rows[0], width)];
  for (const { table, rows } of children) {
    const spec = specs.find(({ name }) => name === table);
    const meaning = spec === undefined ? '' : ` · ${rowMeaning(spec)}`;
    parts.push('', `${table}: ${nounText(rows.length, 'row')}${meaning}`, '', rowsText(rows, width));
  }
  if (lostFiles.length > 0) {
    parts.push('', `Rows may be missing: ${nounText(lostFiles.length, 'data file')} of its day are gone or cut.`);
  }
  return `${parts.join('\n')}\n`;
}

function columnsText(row: FoundRow | undefined, width: number): string {
  const filled = Object.entries(row?.values ?? {}).flatMap(([name, value]) =>
    value === null ? [] : [[name, lineText(value)] as const],
  );
  const sections = new Map<string, (readonly [string, string])[]>();
  for (const [name, value] of filled) {
    const section = sectionOf(name, filled);
    const shown = section === '' ? name : name.slice(section.length + 1);
    sections.set(section, [...(sections.get(section) ?? []), [shown, value]]);
  }
  return [...sections]
    .map(([section, pairs]) =>
      section === '' ? pairsText(pairs, '', width) : `${section}_…\n${pairsText(pairs, '  ', width)}`,
    )
    .join('\n');
}

/**
 * Columns that share their first word are one section, so that long values such as hashes fit beside short names. The
 * names that every event has stay whole.
 */
const LEAST_OF_SECTION = 3;

function sectionOf(name: string, filled: readonly (readonly [string, string])[]): string {
  const [word = ''] = name.split('_', 1);
  const alike = filled.filter(([other]) => other.startsWith(`${word}_`)).length;
  const isSection = word !== 'event' && name.includes('_') && alike >= LEAST_OF_SECTION;
  return isSection ? word : '';
}

function rowsText(rows: readonly FoundRow[], width: number): string {
  const names = Object.keys(rows[0]?.values ?? {}).filter(
    (name) => !REPEATED.has(name) && rows.some(({ values }) => values[name] !== null),
  );
  if (names.length === 0) return 'no values';
  const cells = rows.map(({ values }) => names.map((name) => lineText(values[name] ?? null)));
  return tableText(
    names.map((title) => ({ title })),
    cells,
    width,
  );
}

/** A value on one line; nothing for NULL. */
export function lineText(value: QueryValue): string {
  return oneLine(valueText(value));
}
