import { writeText } from '@edrlake/core';
import { driftSql } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT, QUERIED } from '../args/option-groups.ts';
import { driftText } from '../investigate/drift-text.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { formatOf, writeAnswer } from '../query/query-output.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { withLakeToRead } from '../session/with-lake.ts';

/** `edrlake drift` */
export const command = defineCommand({
  command: 'drift',
  describe: 'Show every delivered field that no column takes',
  details: [
    'What no column takes is kept in the column extra, nested as delivered. A row for each path in it: first and last day, rows and their share in percent, the JSON types seen, short samples, and whether the field is documented. Members of arrays are not looked at: an array is one value.',
    'A new path, or a known one with a new type, is how a change of the API shows. Asks the lake alone. edrlake promote makes such a path a column.',
  ],
  flags: ['table', 'from', 'to', 'format', ...QUERIED, ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day to read', defaultText: 'all' },
    to: { describe: 'Last UTC day to read', defaultText: 'all' },
    format: { describe: 'table, csv or json', defaultText: 'table', choices: ['table', 'csv', 'json'] },
  },
  examples: [
    { command: 'edrlake drift', purpose: 'every path, of all days' },
    { command: 'edrlake drift --table events --from 2026-11-20 --to 2026-11-21', purpose: 'what these days have' },
    { command: "edrlake drift --json | jq '.[] | select(.documented | not).path'", purpose: 'only what is new' },
  ],
  run,
});

/** Shows the paths in `extra`. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const format = formatOf(input);
  const range = optionalRange(values);
  await withLakeToRead(values, context, async (lake) => {
    const sql = driftSql(lake.dataset, values.table, range);
    const { signal, stdout, env } = context;
    if (format !== 'table') await writeAnswer({ lake, sql, format, signal }, null, context);
    else await writeText(stdout, await driftText(await lake.query(sql, { signal }), lineWidth(stdout, env)));
  });
  return 0;
}
