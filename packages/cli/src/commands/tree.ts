import { writeText } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { type HostTree, readAbsence, treeOfEvent, treeOfHost } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT, QUERIED } from '../args/option-groups.ts';
import { treeDocument, treeText } from '../investigate/tree-text.ts';
import { unknownEvent } from '../investigate/unknown-event.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { writeAnswer } from '../query/query-output.ts';
import { optionalRange } from '../session/connection-settings.ts';
import { lakeFlagsOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';

/** Children of one process that are shown. */
const SHOWN_CHILDREN = 50;

/** Relations of two processes by day: how many name a parent of which the lake has no event. */
const ORPHANS_SQL = `SELECT event_date, count(*) AS started, count(*) FILTER (WHERE parent_event_id IS NULL) AS orphans,
  round(100 * count(*) FILTER (WHERE parent_event_id IS NULL) / count(*), 2) AS percent
FROM process_edges WHERE kind = 'started' GROUP BY event_date ORDER BY event_date`;

/** `edrlake tree` */
export const command = defineCommand({
  command: 'tree [event-or-host]',
  describe: 'Show the process tree around an event, or of a host',
  details: [
    'From the lake alone. Of an event: the process that it is about, or that caused it, with its ancestors and what it started, from the week before the event. Of a host (name or agent id): all processes of its last day. --from and --to choose other days. Without an argument: how many processes of each day name a parent that the lake does not have.',
    'A parent that is not in the lake is a ghost, with the reason: it may be on days that are not fetched or not looked at, was started before the lake begins, or the API listed no event of it. Process ids are used again: of several processes with an id the newest before an event counts. In SQL: the view process_edges.',
  ],
  positionals: { 'event-or-host': { describe: 'Id of an event, name of a host, or agent id' } },
  flags: ['depth', 'from', 'to', ...QUERIED, ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day to look at', defaultText: null },
    to: { describe: 'Last UTC day to look at', defaultText: null },
  },
  examples: [
    { command: 'edrlake tree RTP_7a1f_55', purpose: 'around an event' },
    { command: 'edrlake tree WS-1370 --from 2026-11-20 --to 2026-11-21', purpose: 'a host on two days' },
    { command: 'edrlake tree', purpose: 'orphans of each day' },
  ],
  run,
});

/** Shows a tree, or the share of orphans. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, positionals } = input;
  const { stdout, env, signal } = context;
  const asked = positionals['event-or-host'];
  await withLakeToRead(values, context, async (lake) => {
    if (asked === undefined) {
      await writeAnswer({ lake, sql: ORPHANS_SQL, format: values.json ? 'json' : 'table', signal }, null, context);
      return;
    }
    const tree = await readTree(lake, asked, input, context);
    if (values.json) await writeJson(stdout, treeDocument(tree));
    else await writeText(stdout, treeText(tree, lineWidth(stdout, env)));
  });
  return 0;
}

async function readTree(lake: Lake, asked: string, input: CommandInput, context: ProcessContext): Promise<HostTree> {
  const { values } = input;
  const nowMs = context.clock.nowMs();
  const range = optionalRange(values);
  const options = { range, depth: values.depth, children: SHOWN_CHILDREN, nowMs, signal: context.signal };
  const found = await lake.findEvent(asked);
  if (found.tables.length > 0) return treeOfEvent(lake, found, options);
  const tree = await treeOfHost(lake, asked, options);
  if (tree !== null) return tree;
  throw unknownEvent(found, await readAbsence(lake, range, nowMs), lakeFlagsOf(input));
}
