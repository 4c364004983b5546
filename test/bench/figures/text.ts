import type { Spread } from './spread.ts';

/** A number with its significant digits: `0.094`, `12.3`, `48,211`. */
export function numberText(value: number): string {
  if (!Number.isFinite(value)) return '–';
  const size = Math.abs(value);
  const digits = size >= 100 || Number.isInteger(value) ? 0 : size >= 10 ? 1 : size >= 1 ? 2 : 3;
  return value.toLocaleString('en-US', { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

/** `1.32 (1.20–1.41)`, or only the number where there is only one measurement. */
export function spreadText({ median, min, max }: Spread): string {
  if (min === max) return numberText(median);
  return `${numberText(median)} (${numberText(min)}–${numberText(max)})`;
}

/** Bytes as mebibytes. */
export function mebibytes(bytes: number): number {
  return bytes / 1_048_576;
}

/** Columns under their titles, the first to the left, the others to the right. */
export function tableText(titles: readonly string[], rows: readonly (readonly string[])[]): string {
  const widths = titles.map((title, index) =>
    Math.max(...[title, ...rows.map((row) => row[index] ?? '')].map(lengthOf)),
  );
  const line = (cells: readonly string[]) =>
    cells
      .map((cell, index) => {
        const gap = ' '.repeat(Math.max((widths[index] ?? 0) - lengthOf(cell), 0));
        return index === 0 ? cell + gap : gap + cell;
      })
      .join('  ')
      .trimEnd();
  return [line(titles), ...rows.map(line)].join('\n');
}

function lengthOf(text: string): number {
  return [...text].length;
}
