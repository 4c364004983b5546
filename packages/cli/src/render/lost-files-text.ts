import { nounText } from '../text/format-numbers.ts';
import { wrapWords } from '../text/text-width.ts';

/** That data files are gone, and what brings their rows back; no line where none is. */
export function lostFileLines(lostFiles: readonly string[], width: number): string[] {
  const [first] = lostFiles;
  if (first === undefined) return [];
  const files = `${nounText(lostFiles.length, 'data file')} gone or cut, such as ${first}`;
  return [...wrapWords(files, width), 'Next: edrlake reconcile --repair'];
}
