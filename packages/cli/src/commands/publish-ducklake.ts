import { defineCommand } from '../args/command.ts';
import { PUBLISH_DETAILS, PUBLISH_FLAG_TEXTS, PUBLISH_FLAGS, publishLake } from '../session/publish-lake.ts';

/** `edrlake publish ducklake` */
export const command = defineCommand({
  command: 'publish ducklake',
  describe: 'Publish tables and their history as a DuckLake catalogue',
  details: [
    'All tables are in one catalogue of DuckLake 1.0, the DuckDB database lake.ducklake, which the extension of DuckDB from 1.5.2 on reads without a migration. Snapshot n is version n of the lake, in all tables at once. Attach it with READ_ONLY, and again to see later versions. Paths are absolute: publish again after the lake was moved.',
    ...PUBLISH_DETAILS,
  ],
  flags: PUBLISH_FLAGS,
  flagTexts: PUBLISH_FLAG_TEXTS,
  examples: [
    { command: 'edrlake publish ducklake', purpose: 'into lake/_tables' },
    { command: 'edrlake publish ducklake --to /data/open', purpose: 'into another folder' },
  ],
  run: (input, context) => publishLake('ducklake', input, context),
});
