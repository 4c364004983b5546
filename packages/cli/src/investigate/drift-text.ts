import { countText, nounText } from '@edrlake/core';
import { type QueryResult, type QueryValue, valueText } from '@edrlake/lake';
import { oneLine, truncate } from '../text/text-width.ts';

/** Two lines for each path of the answer to `driftSql`. Ends with a line break. @param width of a line in cells */
export async function driftText({ columns, rows }: QueryResult, width: number): Promise<string> {
  const parts: string[] = [];
  let table = '';
  for await (const chunk of rows) {
    for (const row of chunk) {
      const value = (name: string): QueryValue => row[columns.findIndex((column) => column.name === name)] ?? null;
      if (table !== valueText(value('table'))) {
        table = valueText(value('table'));
        parts.push(...(parts.length > 0 ? [''] : []), `${table}.extra`);
      }
      const known = value('documented') === true ? ' (documented)' : '';
      const [first, last] = [valueText(value('first_day')), valueText(value('last_day'))];
      const facts = [
        first === last ? first : `${first} to ${last}`,
        `${nounText(Number(value('rows')), 'row')}, ${percentText(Number(value('percent')))}`,
        listText(value('types'), ' or '),
        listText(value('samples'), ', '),
      ];
      parts.push(`  ${truncate(oneLine(valueText(value('path'))) + known, width - 2)}`);
      parts.push(`    ${truncate(facts.join(' · '), width - 4)}`);
    }
  }
  return parts.length === 0 ? 'Every delivered field has a column.\n' : `${parts.join('\n')}\n`;
}

function percentText(percent: number): string {
  return percent >= 0.01 ? `${countText(Math.round(percent * 100) / 100)} %` : '< 0.01 %';
}

function listText(value: QueryValue, between: string): string {
  return Array.isArray(value) ? value.map((item) => oneLine(valueText(item))).join(between) : '';
}
