import { choiceFlag, optionalFlag, readRateLimit, readText, valueFlag, wholeNumber } from './flag-kinds.ts';

const OAUTH_LEVELS = ['auto', 'user', 'subscription'] as const;
const WALKS = ['pages', 'search-after'] as const;
const HISTOGRAM_USES = ['auto', 'on', 'off'] as const;

/** Where the API is, as what edrlake logs in there, how it asks, and how fast. */
export const GATEWAY_FLAGS = {
  platform: optionalFlag({
    group: 'Gateway',
    valueName: 'ID',
    describe: 'Qualys platform: US1, EU2, …',
    expected: 'a platform id such as US1 or EU2',
    read: readText,
  }),
  'base-url': optionalFlag({
    group: 'Gateway',
    valueName: 'URL',
    describe: 'Gateway instead of a platform',
    expected: 'the https URL of a gateway',
    read: readText,
  }),
  'api-prefix': valueFlag({
    group: 'Gateway',
    valueName: 'PATH',
    describe: 'Path before /events, /ioc/v1, or auto',
    expected: 'a path that starts with /, or auto',
    read: (text) => (text === 'auto' ? text : /^\/\S*$/.test(text) ? text.replace(/\/+$/, '') : null),
    byDefault: '/ioc',
  }),
  'oauth-level': choiceFlag({
    group: 'Gateway',
    valueName: 'LEVEL',
    describe: 'OAuth: user or subscription',
    choices: OAUTH_LEVELS,
    byDefault: 'auto',
  }),
  'page-size': valueFlag({
    group: 'Gateway',
    valueName: 'N',
    describe: 'Events a request asks for',
    expected: 'a whole number from 1 to 10000',
    read: wholeNumber(1, 10_000),
    byDefault: 1_000,
  }),
  concurrency: valueFlag({
    group: 'Gateway',
    valueName: 'N',
    describe: 'Requests at once',
    expected: 'a whole number from 1 to 64',
    read: wholeNumber(1, 64),
    byDefault: 2,
  }),
  'rate-limit': optionalFlag({
    group: 'Gateway',
    valueName: 'N/SECONDS',
    describe: 'Request limit, or none',
    expected: 'N/SECONDS such as 300/3600, or none',
    read: (text) => (text === 'none' ? ('none' as const) : readRateLimit(text)),
    defaultText: '300/3600',
  }),
  'max-result-window': valueFlag({
    group: 'Gateway',
    valueName: 'N',
    describe: 'Events a query can reach',
    expected: 'a whole number from 1 to 10000000',
    read: wholeNumber(1, 10_000_000),
    byDefault: 10_000,
  }),
  'event-time-token': valueFlag({
    group: 'Gateway',
    valueName: 'TOKEN',
    describe: 'When it happened',
    expected: 'a token such as event.dateTime',
    read: readText,
    byDefault: 'event.dateTime',
  }),
  'processed-time-token': valueFlag({
    group: 'Gateway',
    valueName: 'TOKEN',
    describe: 'When it was processed',
    expected: 'a token such as event.eventProcessedTime',
    read: readText,
    byDefault: 'event.eventProcessedTime',
  }),
  histogram: choiceFlag({
    group: 'Gateway',
    valueName: 'WHEN',
    describe: 'Histograms: auto, on or off',
    choices: HISTOGRAM_USES,
    byDefault: 'auto',
  }),
  walk: choiceFlag({
    group: 'Gateway',
    valueName: 'HOW',
    describe: 'Through events by pages or search-after',
    choices: WALKS,
    byDefault: 'pages',
  }),
} as const;
