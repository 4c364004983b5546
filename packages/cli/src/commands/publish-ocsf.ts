import { bytesText, countText, EdrlakeError, nounText, parseRange, type TimeRange } from '@edrlake/core';
import type { PublishOcsfReport } from '@edrlake/ocsf';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { OUTPUT, QUERIED } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { ocsfPlaceOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';
import { wrapWords } from '../text/text-width.ts';

/** `edrlake publish ocsf` */
export const command = defineCommand({
  command: 'publish ocsf',
  describe: 'Publish the events as OCSF classes, also for Security Lake',
  details: [
    'Each event becomes one event of a class (file, process, network, kernel, registry; base event where no class takes it), and each scored indicator a detection finding. What no attribute takes is in unmapped; "typed" is the share of the values that became attributes. docs/ocsf.md has the mapping.',
    'Run again after commits, it publishes days that are new, and writes days anew that changed since. Interrupted anywhere, the next run goes on. With --layout security-lake the files are where a custom source needs them, one source a class: --to s3://BUCKET puts them there.',
  ],
  flags: ['ocsf-version', 'layout', 'to', 'region', 'account-id', 'from', 'until', 'dry-run', ...QUERIED, ...OUTPUT],
  flagTexts: {
    to: { valueName: 'PLACE', describe: 'Folder or s3://bucket/prefix to publish into', defaultText: './ocsf' },
    from: { describe: 'First UTC day', defaultText: 'all' },
    until: { describe: 'Last UTC day', defaultText: 'all' },
  },
  examples: [
    { command: 'edrlake publish ocsf --dry-run', purpose: 'what would be published' },
    { command: 'edrlake publish ocsf --ocsf-version 1.8.0 --to /data/ocsf', purpose: 'by class and day' },
    {
      command: 'edrlake publish ocsf --layout security-lake --to s3://BUCKET',
      purpose: 'for Security Lake',
    },
  ],
  run,
});

/** Brings the published files to the newest version of the lake. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed } = input;
  const { stdout, env, signal } = context;
  // As settings these are the range of an export.
  const to = typed.has('to') && values.to !== null ? values.to : 'ocsf';
  const range = rangeOf(typed.has('from') ? values.from : null, values.until);
  const region = regionOf(input, env);
  const place = ocsfPlaceOf(to, values, context);
  const report = await withLakeToRead(values, context, async (lake) => {
    const { publishOcsf } = await import('@edrlake/ocsf');
    return publishOcsf(lake, {
      ...place,
      version: values['ocsf-version'],
      layout: values.layout,
      region,
      accountId: values['account-id'],
      range,
      dryRun: values['dry-run'],
      signal,
    });
  });
  if (values.json) await writeJson(stdout, report);
  else await writeMessage(context, publishOcsfText(report, lineWidth(stdout, env)));
  return 0;
}

function rangeOf(from: string | null, until: string | null): TimeRange | null {
  if (from === null && until === null) return null;
  return parseRange(from ?? '0001-01-01', until ?? '9999-12-31', { from: '--from', to: '--until' });
}

/** @throws {EdrlakeError} `USAGE` where Security Lake needs one, and nothing says it */
function regionOf({ values }: CommandInput, env: ProcessContext['env']): string {
  const region = values.region ?? env.AWS_REGION ?? env.AWS_DEFAULT_REGION ?? '';
  if (region !== '' || values.layout !== 'security-lake') return region;
  throw new EdrlakeError('USAGE', '--layout security-lake: expected a region, found none', {
    hint: 'Give --region eu-central-1, the region of the bucket.',
  });
}

/** What was published, by class. */
export function publishOcsfText(report: PublishOcsfReport, width: number): string {
  const { days, dryRun, classes, ocsfVersion, directory, lakeVersion } = report;
  const done = `${nounText(days.published, 'day')} as OCSF ${ocsfVersion}`;
  const head = dryRun
    ? `Would publish ${done}: ${nounText(days.unchanged, 'day')} up to date.`
    : `${days.published === 0 ? 'Nothing is new' : `Published ${done}`}: the files show version ${lakeVersion} of the lake.`;
  const rows = classes.map(({ className, uid, events, files, bytes, typedShare }) => [
    `${className.slice(className.indexOf('/') + 1)} (${uid})`,
    countText(events),
    ...(dryRun ? [] : [countText(files), bytesText(bytes), shareText(typedShare)]),
  ]);
  const titles = ['events', ...(dryRun ? [] : ['files', 'size', 'typed'])];
  const columns = [{ title: 'class' }, ...titles.map((title) => ({ title, align: 'right' as const }))];
  const table = rows.length === 0 ? [] : ['', tableText(columns, rows, width)];
  const notes = notesOf(report).flatMap((note) => wrapWords(note, width));
  return `${[head, ...table, ...(notes.length === 0 ? [] : ['', ...notes]), ...(dryRun ? [] : ['', directory])].join('\n')}\n`;
}

function notesOf({ typedShare, unclassified, rejected, lakeRejects, dryRun }: PublishOcsfReport): string[] {
  const types = Object.entries(unclassified).map(([type, count]) => `${type || 'no type'} ${countText(count)}`);
  return [
    ...(typedShare === null
      ? []
      : [`${shareText(typedShare)} of all values became typed attributes; the rest is in unmapped.`]),
    ...(types.length === 0 ? [] : [`Published as base_event, because no class takes them: ${types.join(', ')}.`]),
    ...(dryRun ? [] : [`Rejected: ${countText(rejected)} events.`]),
    ...(lakeRejects === 0
      ? []
      : [`${nounText(lakeRejects, 'record')} of the table rejects never became events, and are not published.`]),
  ];
}

function shareText(share: number | null): string {
  return share === null ? '' : `${(share * 100).toFixed(1)} %`;
}
