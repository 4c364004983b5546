import { EdrlakeError } from '@edrlake/core';
import { z } from 'zod';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, type TaskTools } from './task-tools.ts';

const QueryInput = z.strictObject({
  sql: z.string().min(1),
  /** A condition on the result: it makes the task a check, and a result that breaks it is a mismatch. */
  expect: z.enum(['rows', 'no rows']).nullable().default(null),
  /** Write the result to this Parquet file instead. */
  parquet: z.string().min(1).nullable().default(null),
});

/** What a pipeline gives the `query` task; what is left out has its default. */
export type GivenQuery = z.input<typeof QueryInput>;

/** A query's result as it fits into a journal. */
export interface QueryTaskOutput {
  readonly outcome: 'done' | 'mismatch';
  readonly rowCount: number;
  /** The first rows as objects, values as text. */
  readonly firstRows: readonly Readonly<Record<string, string | null>>[];
}

const ROWS_KEPT = 20;

/** Checks or exports the lake with SQL. */
export const queryTask: RegisteredTask<z.infer<typeof QueryInput>, QueryTaskOutput, TaskTools> = {
  meaning: 'check the lake with SQL, or export a result',
  parseInput: (input) => {
    const query = readInput(QueryInput, input);
    if (query.expect === null || query.parquet === null) return query;
    throw new EdrlakeError('CONFIG_INVALID', 'with: a query either expects something or writes a file, found both', {
      hint: 'Make two tasks of it.',
    });
  },
  run: async ({ sql, expect, parquet }, { provided, services }) =>
    provided.useLake(async ({ lake }) => {
      const { signal } = services;
      if (parquet !== null) {
        return { outcome: 'done', rowCount: await lake.queryToParquet(sql, parquet, { signal }), firstRows: [] };
      }
      const { columns, rows } = await lake.query(sql, { signal });
      const firstRows: Record<string, string | null>[] = [];
      let rowCount = 0;
      for await (const chunk of rows) {
        rowCount += chunk.length;
        for (const row of chunk.slice(0, ROWS_KEPT - firstRows.length)) {
          const cells = columns.map(({ name }, position) => [name, textOf(row[position])] as const);
          firstRows.push(Object.fromEntries(cells));
        }
      }
      const holds = expect === null || (expect === 'rows') === rowCount > 0;
      return { outcome: holds ? 'done' : 'mismatch', rowCount, firstRows };
    }, services),
  describe: async ({ sql, expect, parquet }) =>
    parquet !== null ? `writes ${parquet}: ${sql}` : `${expect === null ? '' : `expects ${expect}: `}${sql}`,
};

function textOf(value: unknown): string | null {
  return value === null || value === undefined ? null : String(value);
}
