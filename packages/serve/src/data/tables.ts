import { queriedType } from '@edrlake/core';
import type { TablesDocument } from '../documents/documents.ts';
import type { PageContext } from './page-context.ts';

/** The tables of the lake with their columns, for who writes a question. */
export async function tablesDocument({ lake }: PageContext): Promise<TablesDocument> {
  const { version } = await lake.snapshot();
  return {
    version,
    dataset: lake.dataset.name,
    tables: (await lake.tables()).map(({ name, columns }) => ({
      name,
      columns: columns.map((column) => ({
        name: column.name,
        type: queriedType(column.type),
        meaning: column.meaning,
      })),
    })),
  };
}
