import { countText, EdrlakeError, instantText, isoInstant, type TimeRange, writeText } from '@edrlake/core';
import { DOCUMENTED_TOKENS, type GatewayClient, windowQql } from '@edrlake/runner';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, OUTPUT, PLACE, RANGE, TIME_TOKENS } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { optionalRange, refuseOtherDataset, scopeOf, withConnection } from '../session/connection-settings.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';

interface Group {
  readonly value: string;
  readonly count: number;
}

/** `edrlake count` */
export const command = defineCommand({
  command: 'count',
  describe: 'Ask the API how many events there are',
  details: ['One request. Without --from and --to it counts everything.'],
  flags: [...RANGE, 'group-by', 'interval', 'limit', 'sort', ...GATEWAY, ...TIME_TOKENS, ...PLACE, ...OUTPUT],
  flagTexts: { lake: { describe: 'Lake whose runs share the rate limit', defaultText: './lake' } },
  examples: [
    { command: 'edrlake count --from 2020-08-17 --to 2020-08-17', purpose: 'one day' },
    { command: 'edrlake count --group-by agentId --limit 10', purpose: 'the busiest agents' },
    { command: "edrlake count --filter 'type: FILE' --group-by dateTime --interval 1d", purpose: 'by day' },
  ],
  run,
});

/** Asks the API for one count, or for counts by value of a field. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  refuseOtherDataset(values, 'count');
  const range = optionalRange(values);
  requireGroupBy(values);
  const display = startDisplay({ ...values, 'no-progress': true }, context);
  let found: { readonly count: number | null; readonly groups: readonly Group[] | null };
  try {
    found = await withConnection(values, context, { command: 'count', emit: display.emit }, (connection) =>
      ask(connection.client, values, range, context.signal),
    );
  } finally {
    display.stop();
  }
  const { stdout, env } = context;
  if (values.json) {
    const from = range === null ? null : isoInstant(range.startMs);
    const to = range === null ? null : isoInstant(range.endMs);
    await writeJson(stdout, { from, to, filter: values.filter, state: values.state, ...found });
  } else if (found.groups !== null) {
    const columns = [{ title: values['group-by'] ?? '' }, { title: 'events', align: 'right' as const }];
    const rows = found.groups.map(({ value, count }) => [keyText(value, values.interval !== null), countText(count)]);
    await writeText(stdout, `${tableText(columns, rows, lineWidth(stdout, env))}\n`);
  } else {
    await writeText(stdout, `${stdout.isTTY === true ? countText(found.count ?? 0) : found.count}\n`);
  }
  return 0;
}

/** A bucket's key where it is an instant in milliseconds, as platforms may give it, is shown as a time. */
function keyText(key: string, isInstant: boolean): string {
  return isInstant && /^\d{12,13}$/.test(key) ? instantText(Number(key)) : key;
}

async function ask(client: GatewayClient, values: FlagValues, range: TimeRange | null, signal: AbortSignal) {
  const selection = { filter: filterOf(values, range), state: values.state };
  const groupBy = values['group-by'];
  if (groupBy === null) return { count: await client.count(selection, signal), groups: null };
  const params = {
    ...selection,
    groupBy: groupBy.split(',').map((field) => field.trim()),
    limit: values.limit,
    // Checked by the flags' readers.
    interval: values.interval as `${number}d` | null,
    sort: values.sort === null ? null : sortKeys(values.sort),
  };
  const grouped = await client.groupedCount(params, signal);
  return { count: null, groups: grouped.values };
}

function filterOf(values: FlagValues, range: TimeRange | null): string | null {
  if (range === null) return values.filter;
  const timeTokens = { event: values['event-time-token'], processed: values['processed-time-token'] };
  const tokens = { ...DOCUMENTED_TOKENS, timeTokens };
  return windowQql({ axis: 'event', range, cuts: [], scope: scopeOf(values) }, tokens);
}

function requireGroupBy(values: FlagValues): void {
  if (values['group-by'] !== null) return;
  const alone = (['interval', 'limit', 'sort'] as const).find((name) => values[name] !== null);
  if (alone === undefined) return;
  throw new EdrlakeError('USAGE', `--${alone} needs --group-by`, {
    hint: 'For example: --group-by agentId --limit 10, or --group-by dateTime --interval 1d',
  });
}

function sortKeys(text: string): Readonly<Record<string, 'asc' | 'desc'>>[] {
  const keys: unknown = JSON.parse(text);
  const isKey = (key: unknown) =>
    typeof key === 'object' && key !== null && Object.values(key).every((way) => way === 'asc' || way === 'desc');
  if (Array.isArray(keys) && keys.every(isKey)) return keys;
  throw new EdrlakeError('USAGE', `--sort: expected a list such as [{"count": "desc"}], found ${text}`);
}
