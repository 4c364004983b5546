import { nounText } from '@edrlake/core';
import type { EventDifference } from '@edrlake/runner';
import { tableText } from '../text/table-text.ts';
import { lineText } from './event-text.ts';

/** A line for each value that the API and the lake do not have in the same way. Ends with a line break. */
export function differencesText(differences: readonly EventDifference[], width: number): string {
  if (differences.length === 0) return 'The API says the same by now.\n';
  const head = `The API and the lake: ${nounText(differences.length, 'difference')}. Details of an API may say more than its lists.`;
  const rows = differences.map(({ table, position, column, inApi, inLake }) => [
    `${table}${position === null ? '' : `[${position}]`}.${column ?? '*'}`,
    lineText(inApi) || '–',
    lineText(inLake) || '–',
  ]);
  const columns = [{ title: 'value' }, { title: 'API' }, { title: 'lake' }];
  return `${head}\n\n${tableText(columns, rows, width)}\n`;
}
