import { countText } from '@edrlake/core';
import type { Comparison } from './scale-stage.ts';

/** A line with the time in front. */
export function say(text: string): void {
  process.stdout.write(`${new Date().toISOString().slice(11, 19)} ${text}\n`);
}

/** What lakes hold beside what their gateways have. */
export function tableOf(compared: readonly Comparison[]): string {
  const titles = ['subscription', 'events', 'rows', 'distinct', 'requests', 'refused', 'most at once'];
  const rows = compared.map(({ subscription, ...numbers }) => {
    const { events, rows: stored, distinct, requests, refused, mostAtOnce } = numbers;
    return [subscription, ...[events, stored, distinct, requests, refused, mostAtOnce].map(countText)];
  });
  const all = [titles, ...rows];
  const widths = titles.map((_, column) => Math.max(...all.map((row) => row[column]?.length ?? 0)));
  const line = (row: readonly string[]) =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0] ?? 0) : cell.padStart(widths[column] ?? 0)))
      .join('  ');
  return `${[line(titles), widths.map((width) => '─'.repeat(width)).join('  '), ...rows.map(line)].join('\n')}\n`;
}
