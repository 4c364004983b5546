import { writeText } from '@edrlake/core';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { wordsText } from '../args/flags/flag-kinds.ts';
import { LAKE, OUTPUT } from '../args/option-groups.ts';
import { READERS } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { connectText } from '../render/connect-text.ts';
import { objectLakeOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake connect` */
export const command = defineCommand({
  command: 'connect',
  describe: 'Print what to paste to read the lake with another program',
  details: [
    'For DuckDB, Python or Spark. A lake on a disk is read through lake.duckdb or its folders. In an object store the files of the newest version are named one by one, because replaced files stay until a vacuum. Credentials are not printed: the reader uses those of its machine.',
  ],
  flags: ['format', ...LAKE, ...OUTPUT],
  flagTexts: { format: { describe: wordsText(READERS), defaultText: READERS[0], choices: READERS } },
  examples: [
    { command: 'edrlake connect > lake.sql && duckdb -init lake.sql', purpose: 'a DuckDB shell on the lake' },
    { command: 'edrlake connect --format spark --lake s3://security/edr', purpose: 'from an object store' },
  ],
  run,
});

/** Prints how another program reads the newest version. */
async function run({ values }: CommandInput, context: ProcessContext): Promise<number> {
  // A setting may be a format of `query`, which means nothing here.
  const reader = READERS.find((each) => each === values.format) ?? READERS[0];
  const text = await withLakeToRead(values, context, async (lake) => {
    const { address } = lake;
    const { version, files } = await lake.snapshot();
    const s3 = objectLakeOf(values, context).objects?.s3 ?? null;
    return connectText({ address, version, tables: await lake.tables(), files, s3 }, reader);
  });
  if (values.json) await writeJson(context.stdout, { format: reader, text });
  else await writeText(context.stdout, text);
  return 0;
}
