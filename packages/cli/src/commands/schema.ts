import { didYouMean, EdrlakeError } from '@edrlake/core';
import { datasetNamed } from '@edrlake/datasets';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { schemaDocument, tableSchemaText, tablesOverviewText } from '../render/schema-text.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake schema` */
export const command = defineCommand({
  command: 'schema [table]',
  describe: 'Show the tables of a lake, and what their columns mean',
  details: [
    'For each column its type, its meaning, its unit and the fields of an event that it is read from; the first that has a value counts. The same texts are comments in lake.duckdb. Needs no lake.',
  ],
  positionals: { table: { describe: 'One table; all of them without it' } },
  flags: ['dataset', ...OUTPUT],
  examples: [
    { command: 'edrlake schema', purpose: 'the tables' },
    { command: 'edrlake schema events', purpose: 'the columns of one' },
    { command: "edrlake schema --json | jq '.[].columns[].column'", purpose: 'for a program' },
  ],
  run,
});

/** Shows the tables of a dataset, or the columns of one. */
async function run({ values, positionals }: CommandInput, context: ProcessContext): Promise<number> {
  const dataset = datasetNamed(values.dataset);
  const { table: name } = positionals;
  const names = dataset.tables.map((table) => table.name);
  const table = dataset.tables.find((each) => each.name === name);
  if (name !== undefined && table === undefined) {
    const near = didYouMean(name, names);
    throw new EdrlakeError('USAGE', `${dataset.name} has no table ${name}`, {
      hint: near === null ? `Its tables: ${names.join(', ')}.` : `Did you mean ${near}?`,
    });
  }
  const width = lineWidth(context.stdout, context.env);
  if (values.json) {
    await writeJson(
      context.stdout,
      schemaDocument(dataset).filter((each) => name === undefined || each.table === name),
    );
  } else if (table !== undefined) await writeMessage(context, tableSchemaText(table, width));
  else await writeMessage(context, `${tablesOverviewText(dataset, width)}\nColumns of one: edrlake schema TABLE\n`);
  return 0;
}
