import type { Cell, Dataset, Day } from '@edrlake/core';
import { recordSpecOf } from '../spec/record-spec.ts';
import { flattenRecord } from './flatten-record.ts';
import { parseJson } from './json-tree.ts';

/** The rows of one record by table, each by column; a reject is a row of its table. */
export type FlatRows = Readonly<Record<string, readonly Readonly<Record<string, Cell>>[]>>;

/**
 * Flattens the JSON text of one record, as a page that holds it would be.
 * @throws {SyntaxError} when the text is no JSON
 */
export function flattenOne(dataset: Dataset, text: string, ingestDay: Day): FlatRows {
  const rows = flattenRecord(recordSpecOf(dataset), parseJson(text), { windowId: null, ingestDay });
  return Object.fromEntries(
    [...rows].map(([table, ofTable]) => {
      const names = dataset.tables.find(({ name }) => name === table)?.columns.map(({ name }) => name) ?? [];
      return [table, ofTable.map((row) => Object.fromEntries(row.map((cell, at) => [names[at] ?? '', cell])))];
    }),
  );
}
