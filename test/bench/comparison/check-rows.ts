import { numberText, tableText } from '../figures/text.ts';
import type { StoredRows } from './stored-rows.ts';

/**
 * Compares the rows that each contestant wrote with the events that exist.
 * @returns a table to print
 * @throws when a row is missing, comes twice, or one contestant has another number of rows than the others
 */
export function checkRows(stored: Readonly<Record<string, StoredRows>>, events: number): string {
  const [[, first] = []] = Object.entries(stored);
  for (const [contestant, { rows, distinctEvents }] of Object.entries(stored)) {
    if (rows.events !== events || distinctEvents !== events) {
      throw new Error(
        `${contestant}: expected ${events} events, found ${rows.events} rows with ${distinctEvents} different ids`,
      );
    }
    for (const [table, count] of Object.entries(rows)) {
      if (count === first?.rows[table]) continue;
      throw new Error(`${contestant}: ${count} rows in ${table}, others have ${first?.rows[table]}`);
    }
  }
  const rows = Object.entries(first?.rows ?? {}).map(([table, count]) => [table, numberText(count)]);
  return tableText([`the same in ${Object.keys(stored).join(', ')}`, 'rows'], rows);
}
