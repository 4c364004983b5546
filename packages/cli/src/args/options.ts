import { TABLE_FORMATS } from '@edrlake/core';
import { ENGINE_FLAGS } from './flags/engine-flags.ts';
import {
  choiceFlag,
  durationFlag,
  type Flag,
  listFlag,
  optionalDurationFlag,
  optionalFlag,
  readBoolean,
  readInstantMs,
  readsAsJson,
  readText,
  shareFlag,
  switchFlag,
  wholeNumber,
  wordsText,
} from './flags/flag-kinds.ts';
import { GATEWAY_FLAGS } from './flags/gateway-flags.ts';
import { LAKE_FLAGS } from './flags/lake-flags.ts';
import { OCSF_FLAGS } from './flags/ocsf-flags.ts';
import { SERVE_FLAGS } from './flags/serve-flags.ts';
import { SIMULATOR_FLAGS } from './flags/simulator-flags.ts';
import { STORY_FLAGS } from './flags/story-flags.ts';

/** Result formats of `query`. */
export const QUERY_FORMATS = ['table', 'csv', 'json', 'ndjson', 'arrow', 'parquet'] as const;
/** One of the result formats. */
export type QueryFormat = (typeof QUERY_FORMATS)[number];

/** `--format` of commands that ask the lake. */
export const QUERY_FORMAT_TEXT = {
  format: { describe: QUERY_FORMATS.join(', '), defaultText: QUERY_FORMATS[0], choices: QUERY_FORMATS },
} as const;

/** The form of a result that a setting asks for; one that means something for `connect` alone asks for none. */
export function queryFormatOf({ format }: Pick<FlagValues, 'format'>): QueryFormat {
  return QUERY_FORMATS.find((each) => each === format) ?? QUERY_FORMATS[0];
}

/** What `connect` prints a lake for. */
export const READERS = ['duckdb', 'python', 'spark'] as const;
/** One of them. */
export type Reader = (typeof READERS)[number];

/** How much is logged on stderr, least first: each level includes those before it. */
export const LOG_LEVELS = ['error', 'warn', 'info', 'debug'] as const;
/** How much a line matters. */
export type LogLevel = (typeof LOG_LEVELS)[number];

const FOLLOWED_AXES = ['processed', 'event'] as const;
const RECONCILED_BY = ['day', 'type'] as const;
const ONLY_STATES = ['missing', 'failed', 'mismatched', 'rejected'] as const;
const REQUIREMENTS = ['proven', 'complete'] as const;
const TELEMETRY_WAYS = ['off', 'otlp'] as const;

const dayOrInstant = 'a day (2020-08-17) or an ISO instant (2020-08-17T04:00:00Z)';

/**
 * Every flag of every command, once. The name in `EDRLAKE_…` form is its environment variable, and in camelCase its key
 * in the configuration file.
 */
export const FLAGS = {
  from: optionalFlag({
    group: 'Range',
    valueName: 'DATE',
    describe: 'First UTC day, or ISO instant',
    expected: dayOrInstant,
    read: readText,
  }),
  to: optionalFlag({
    group: 'Range',
    valueName: 'DATE',
    describe: 'Last UTC day, or ISO instant (excluded)',
    expected: dayOrInstant,
    read: readText,
  }),
  filter: optionalFlag({
    group: 'Range',
    valueName: 'QQL',
    describe: 'Only events that match this query',
    expected: 'a query such as "type: FILE"',
    read: readText,
  }),
  state: optionalFlag({
    group: 'Range',
    valueName: 'BOOL',
    describe: 'true: only events from the current state',
    expected: 'true or false',
    read: readBoolean,
    choices: ['true', 'false'],
  }),
  ...GATEWAY_FLAGS,
  ...LAKE_FLAGS,
  since: optionalFlag({
    group: 'Sync',
    valueName: 'DATE',
    describe: 'Where the first sync begins: UTC day or ISO instant',
    expected: dayOrInstant,
    read: readInstantMs,
  }),
  'look-back': optionalDurationFlag({
    group: 'Sync',
    valueName: 'TIME',
    describe: 'How far behind the watermark to look for late events',
  }),
  'settle-lag': durationFlag({
    group: 'Sync',
    valueName: 'TIME',
    describe: 'How far behind now to end',
    defaultText: '15m',
  }),
  axis: choiceFlag({
    group: 'Sync',
    valueName: 'CLOCK',
    describe: 'Clock to follow: processed or event',
    choices: FOLLOWED_AXES,
    byDefault: 'processed',
  }),
  'max-reject-share': shareFlag({
    group: 'Run',
    valueName: 'SHARE',
    describe: 'Rejects that a window, or all, may hold',
    defaultText: '1%',
  }),
  only: optionalFlag({
    group: 'Run',
    valueName: 'STATE',
    describe: 'Only what is missing, failed, mismatched or rejected',
    expected: 'missing, failed, mismatched or rejected',
    read: (text) => ONLY_STATES.find((state) => state === text) ?? null,
    choices: ONLY_STATES,
  }),
  repair: switchFlag({ group: 'Run', describe: 'Fetch the ranges that differ, then compare again' }),
  sealed: switchFlag({ group: 'Run', describe: 'Count proven days again that are due' }),
  by: choiceFlag({
    group: 'Run',
    valueName: 'WHAT',
    describe: 'One line a day, or one a day and event type',
    choices: RECONCILED_BY,
    byDefault: 'day',
  }),
  publish: listFlag({
    group: 'Run',
    valueName: 'FORMAT',
    describe: `Publish after each commit: ${wordsText(TABLE_FORMATS)}`,
    expected: wordsText(TABLE_FORMATS),
    read: (text) => TABLE_FORMATS.find((format) => format === text) ?? null,
  }),
  grace: durationFlag({
    group: 'Run',
    valueName: 'TIME',
    describe: 'How long removed files are kept',
    defaultText: '7d',
  }),
  offline: switchFlag({ group: 'Run', describe: 'Ask no API; always so, said for the reader of a script' }),
  'dry-run': switchFlag({ group: 'Run', describe: 'Say what would be done, and do nothing' }),
  'test-hooks': switchFlag({ group: 'Run', describe: 'Only send a test message to each webhook' }),
  ...OCSF_FLAGS,
  ...STORY_FLAGS,
  param: listFlag({
    group: 'Run',
    valueName: 'NAME=VALUE',
    describe: 'Parameter of the pipeline; may be repeated',
    expected: 'name=value such as days=7',
    read: readText,
  }),
  resume: optionalFlag({
    group: 'Run',
    valueName: 'ID',
    describe: 'Go on with this run instead of starting a new one',
    expected: 'the id of a run',
    read: readText,
  }),
  ...ENGINE_FLAGS,
  'max-age': optionalDurationFlag({
    group: 'Result',
    valueName: 'TIME',
    describe: 'Exit with 4 when the lake is older than this',
  }),
  require: choiceFlag({
    group: 'Result',
    valueName: 'WHAT',
    describe: 'What each day must be: proven or complete',
    choices: REQUIREMENTS,
    byDefault: 'proven',
  }),
  force: switchFlag({ group: 'Run', describe: 'Do again what is already there' }),
  rebuild: switchFlag({ group: 'Run', describe: 'Forget the index that is there' }),
  replace: switchFlag({ group: 'Run', describe: 'Delete stored events that the API no longer has' }),
  all: switchFlag({ group: 'Result', describe: 'List every window, not only the first and last' }),
  format: choiceFlag({
    group: 'Result',
    valueName: 'FORMAT',
    describe: 'table, csv, json, ndjson, arrow, parquet',
    // Each command says which of them it takes.
    choices: [...QUERY_FORMATS, ...READERS],
    byDefault: 'table',
  }),
  output: optionalFlag({
    group: 'Result',
    valueName: 'FILE',
    describe: 'Write the result to a file, a device or a named pipe',
    expected: 'a file name',
    read: readText,
  }),
  'group-by': optionalFlag({
    group: 'Result',
    valueName: 'FIELD',
    describe: 'Counts by field: agentId, type, dateTime, …',
    expected: 'a field name, or several with commas',
    read: readText,
  }),
  interval: optionalFlag({
    group: 'Result',
    valueName: 'STEP',
    describe: 'Step of a date field: 1d, 6h, 15m, …',
    expected: 'a number and one of y q M w d h m s, such as 1d',
    read: (text) => (/^[1-9]\d{0,5}[yqMwdhms]$/.test(text) ? text : null),
  }),
  hours: optionalFlag({
    group: 'Result',
    valueName: 'N',
    describe: 'How far back',
    expected: 'a whole number of hours from 1 to 2400',
    read: wholeNumber(1, 2_400),
  }),
  limit: optionalFlag({
    group: 'Result',
    valueName: 'N',
    describe: 'Most frequent values only',
    expected: 'a whole number from 1 to 10000',
    read: wholeNumber(1, 10_000),
  }),
  sort: optionalFlag({
    group: 'Result',
    valueName: 'JSON',
    describe: `The API's sort, such as [{"count": "desc"}]`,
    expected: 'JSON such as [{"action": "asc"}]',
    read: (text) => (readsAsJson(text) ? text : null),
  }),
  ...SERVE_FLAGS,
  ...SIMULATOR_FLAGS,
  subscription: listFlag({
    group: 'Output',
    valueName: 'NAME',
    describe: 'For whom: a subscription, all, or eu-*',
    expected: 'the name of a subscription, all, or a pattern such as eu-*',
    read: (text) => (/^[a-z0-9*?-]+$/.test(text) ? text : null),
  }),
  config: optionalFlag({
    group: 'Output',
    valueName: 'FILE',
    describe: 'Configuration file',
    expected: 'a file name',
    read: readText,
    defaultText: './edrlake.config.*',
  }),
  json: switchFlag({ group: 'Output', describe: 'One JSON document on stdout, errors too' }),
  'log-level': choiceFlag({
    group: 'Output',
    valueName: 'LEVEL',
    describe: 'error, warn, info or debug',
    choices: LOG_LEVELS,
    byDefault: 'info',
  }),
  'no-progress': switchFlag({ group: 'Output', describe: 'No live display' }),
  telemetry: choiceFlag({
    group: 'Output',
    valueName: 'WAY',
    describe: 'off, or otlp: send traces and metrics, as the variables OTEL_… say',
    choices: TELEMETRY_WAYS,
    byDefault: 'off',
  }),
} as const satisfies Record<string, Flag<unknown>>;

/** The name of a flag, without the dashes in front. */
export type FlagName = keyof typeof FLAGS;

type ValueOf<F> = F extends Flag<infer T> ? T : never;

/** The value of every flag after flag, environment, configuration and default were weighed. */
export type FlagValues = { readonly [Name in FlagName]: ValueOf<(typeof FLAGS)[Name]> };

/** Every flag's name, in the order of the table. */
export const FLAG_NAMES = Object.keys(FLAGS) as readonly FlagName[];

/** The flag itself, without the type of its value. */
export function flagNamed(name: FlagName): Flag<unknown> {
  return FLAGS[name];
}

/** `EDRLAKE_PAGE_SIZE` of `page-size`. */
export function environmentName(name: FlagName): string {
  return `EDRLAKE_${name.replaceAll('-', '_').toUpperCase()}`;
}

/** `pageSize` of `page-size`. */
export function configKey(name: FlagName): string {
  return name.replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
