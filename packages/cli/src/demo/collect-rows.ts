import type { Lake, QueryColumn, QueryValue } from '@edrlake/lake';

/** All rows of a result that is known to be small. */
export async function collectRows(
  lake: Lake,
  sql: string,
  signal: AbortSignal,
): Promise<{ readonly columns: readonly QueryColumn[]; readonly rows: readonly (readonly QueryValue[])[] }> {
  const result = await lake.query(sql, { signal });
  const rows: (readonly QueryValue[])[] = [];
  for await (const chunk of result.rows) rows.push(...chunk);
  return { columns: result.columns, rows };
}
