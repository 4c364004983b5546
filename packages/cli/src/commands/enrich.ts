import { countText, EdrlakeError, nounText } from '@edrlake/core';
import type { EnrichReport } from '@edrlake/runner';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, OUTPUT, PLATFORM, PROGRESS, QUERIED } from '../args/option-groups.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { requireLake } from '../session/lake-access.ts';
import { withLakeSession } from '../session/lake-session.ts';
import { writeJson } from '../text/json-output.ts';

/** `edrlake enrich` */
export const command = defineCommand({
  command: 'enrich',
  describe: 'Ask the API for the details of stored events',
  details: [
    'The details of an event may say more than its record in a list. Stored events that --where selects and that have no details yet are asked for one by one, the newest first; each costs a request. Nightly runs go first.',
    'What the details add fills the empty columns, and extra; nothing that is stored changes. What they say otherwise is in extra below edrlake.otherwise, and edrlake.detailsAt says when. Events that the API does not have are not asked for again for 30 days.',
    'Safe to interrupt and to repeat. Exit codes: 0 all events that are selected have details, 3 some are left (run again).',
  ],
  flags: ['where', 'limit', 'max-requests', ...GATEWAY, ...PLATFORM, ...QUERIED, 'publish', ...OUTPUT, ...PROGRESS],
  flagTexts: { limit: { describe: 'Events to ask for, the newest', defaultText: 'all' } },
  examples: [
    { command: 'edrlake enrich --where "score >= 5"', purpose: 'every scored event' },
    { command: 'edrlake enrich --where "score >= 8" --max-requests 50', purpose: 'no more than that' },
    { command: 'edrlake enrich --where "event_date > today() - 7" --limit 20', purpose: 'the newest 20 of a week' },
  ],
  run,
});

/** Asks for details, and adds them to the lake. */
async function run({ values }: CommandInput, context: ProcessContext): Promise<number> {
  if (values.where === null) {
    throw new EdrlakeError('USAGE', 'expected --where with a condition, found none', {
      hint: 'Each event costs a request: say which ones, such as --where "score >= 5".',
    });
  }
  await requireLake(values, context);
  const display = startDisplay(values, context);
  const request = {
    where: values.where,
    limit: values.limit,
    maxRequests: values['max-requests'],
    concurrency: values.concurrency,
  };
  return withLakeSession(
    values,
    context,
    { command: 'enrich', display, priority: 'normal', writer: 'duckdb' },
    async ({ ends, runServices }) => (await import('@edrlake/runner')).enrich(ends, request, runServices()),
    async (report) => {
      if (values.json) await writeJson(context.stdout, report);
      else await writeMessage(context, enrichText(report));
      return report.outcome === 'done' ? 0 : 3;
    },
  );
}

/** How many events got details, and what of the others. */
function enrichText({ enriched, skipped, absent, unusable, failed, left, requests }: EnrichReport): string {
  const lines = [`${nounText(enriched, 'event')} got details, with ${nounText(requests, 'request')}.`];
  if (skipped > 0) {
    lines.push(
      `${nounText(skipped, 'event')} got details, or another day, from another command meanwhile, or came with a member edrlake.`,
    );
  }
  if (absent > 0) lines.push(`${countText(absent)} the API does not have any more.`);
  if (unusable > 0) lines.push(`${nounText(unusable, 'answer')} that could not be used: no event, or another one.`);
  if (failed > 0) lines.push(`${nounText(failed, 'request')} failed.`);
  if (left > 0) lines.push(`${countText(left)} left. Run the same command again.`);
  return `${lines.join('\n')}\n`;
}
