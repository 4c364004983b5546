import { relative } from 'node:path';
import { countText, durationText, objectAddress, sum } from '@edrlake/core';
import type { DayCoverage, QueryColumn, QueryValue } from '@edrlake/lake';
import { isNumeric, valueText } from '@edrlake/lake';
import { tableText } from '../text/table-text.ts';
import type { Question } from './demo-queries.ts';

/** A question with all rows of its answer. */
export interface DemoAnswer extends Question {
  readonly columns: readonly QueryColumn[];
  readonly rows: readonly (readonly QueryValue[])[];
}

/** Days with what the API counts now and what the lake holds, and whether they are the same. */
export function provenText(days: readonly DayCoverage[], width: number): string {
  const columns = [
    { title: 'day' },
    { title: 'counted by the API', align: 'right' as const },
    { title: 'in the lake', align: 'right' as const },
    { title: '' },
  ];
  const rows = days.map(({ day, counted, inLake }) => [
    day,
    countText(counted ?? 0),
    countText(inLake),
    counted === inLake ? 'equal' : 'NOT EQUAL',
  ]);
  const total = (pick: (day: DayCoverage) => number) => countText(sum(days, pick));
  rows.push(['total', total(({ counted }) => counted ?? 0), total(({ inLake }) => inLake), '']);
  return tableText(columns, rows, width);
}

/** Each question with its SQL and its answer. */
export function questionsText(answers: readonly DemoAnswer[], width: number): string {
  return answers
    .map(({ title, sql, columns, rows }) => {
      const heads = columns.map((column) => ({
        title: column.name,
        align: isNumeric(column) ? ('right' as const) : ('left' as const),
      }));
      const cells = rows.map((row) => row.map((value) => (value === null ? 'NULL' : valueText(value))));
      const indented = sql.replaceAll(/^/gm, '  ');
      return `${title}\n\n${indented}\n\n${tableText(heads, cells, width)}\n`;
    })
    .join('\n');
}

/** Where everything is and what can be typed next. @param place of the lake, an absolute path or an address */
export function closingText(place: string, workingDirectory: string, durationMs: number): string {
  const isRemote = objectAddress(place) !== null;
  const path = isRemote ? '' : relative(workingDirectory, place);
  const lake = path === '' || path.startsWith('..') ? place : `./${path}`;
  return [
    `Took ${durationText(durationMs)}. The lake stays in ${lake}. Look around:`,
    '',
    `  edrlake status --lake ${lake}`,
    `  edrlake query --lake ${lake} "select count(*) from events"`,
    `  edrlake sql --lake ${lake}`,
    ...(isRemote ? [] : [`  duckdb -readonly ${lake}/lake.duckdb`]),
  ].join('\n');
}

/** Answers as plain data, rows as objects. */
export function answersDocument(answers: readonly DemoAnswer[]) {
  return answers.map(({ title, sql, columns, rows }) => ({
    title,
    sql,
    rows: rows.map((row) => Object.fromEntries(columns.map(({ name }, index) => [name, row[index] ?? null]))),
  }));
}
