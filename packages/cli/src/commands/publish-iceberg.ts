import { defineCommand } from '../args/command.ts';
import { PUBLISH_DETAILS, PUBLISH_FLAG_TEXTS, PUBLISH_FLAGS, publishLake } from '../session/publish-lake.ts';

/** `edrlake publish iceberg` */
export const command = defineCommand({
  command: 'publish iceberg',
  describe: 'Publish the tables and their history as Iceberg tables',
  details: [
    'Each table becomes an Iceberg table of format version 2 in the layout of Hadoop tables, for which no catalogue is needed. Snapshot n is version n of the lake. Without a catalogue Iceberg has no commit over several tables: read tables that belong together at the same snapshot. Paths are absolute: publish again after the lake was moved.',
    ...PUBLISH_DETAILS,
  ],
  flags: PUBLISH_FLAGS,
  flagTexts: PUBLISH_FLAG_TEXTS,
  examples: [
    { command: 'edrlake publish iceberg', purpose: 'into lake/_tables' },
    { command: 'edrlake publish iceberg --to /data/open', purpose: 'into another folder' },
  ],
  run: (input, context) => publishLake('iceberg', input, context),
});
