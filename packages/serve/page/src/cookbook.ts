import text from '../../../../docs/cookbook.md?raw';

/** A question of the cookbook. */
export interface Recipe {
  readonly chapter: string;
  readonly title: string;
  readonly sql: string;
}

/** The questions of docs/cookbook.md, put into the page when it is built. */
export const RECIPES: readonly Recipe[] = read(text);

function read(markdown: string): Recipe[] {
  const found: Recipe[] = [];
  let chapter = '';
  for (const part of markdown.split(/^(?=##+ )/m)) {
    const heading = /^(##+) (.*)$/m.exec(part);
    if (heading?.[1] === '##') chapter = heading[2] ?? '';
    const sql = /```sql\n([\s\S]*?)```/.exec(part)?.[1];
    if (heading?.[1] === '###' && sql !== undefined) {
      found.push({ chapter, title: heading[2] ?? '', sql: sql.trim().replace(/;$/, '') });
    }
  }
  return found;
}
