import { defineCommand } from '../args/command.ts';
import { PUBLISH_DETAILS, PUBLISH_FLAG_TEXTS, PUBLISH_FLAGS, publishLake } from '../session/publish-lake.ts';

/** `edrlake publish delta` */
export const command = defineCommand({
  command: 'publish delta',
  describe: 'Publish the tables and their history as Delta Lake tables',
  details: [
    'Each table becomes a Delta table, whose version n is version n of the lake. Delta has no commit over several tables: read tables that belong together at the same version. Until all have it, child tables are ahead of events.',
    ...PUBLISH_DETAILS,
  ],
  flags: PUBLISH_FLAGS,
  flagTexts: PUBLISH_FLAG_TEXTS,
  examples: [
    { command: 'edrlake publish delta', purpose: 'into lake/_tables' },
    { command: 'edrlake publish delta --to /data/open', purpose: 'into another folder' },
  ],
  run: (input, context) => publishLake('delta', input, context),
});
