import { choiceFlag, optionalFlag, readText, valueFlag } from './option-values.ts';

const OAUTH_LEVELS = ['auto', 'user', 'subscription'] as const;

/** Where the API is, and as what edrlake logs in there. */
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
    describe: 'Path before /events, also /ioc/v1',
    expected: 'a path that starts with /',
    read: (text) => (/^\/\S*$/.test(text) ? text.replace(/\/+$/, '') : null),
    byDefault: '/ioc',
  }),
  'oauth-level': choiceFlag({
    group: 'Gateway',
    valueName: 'LEVEL',
    describe: 'OAuth: user or subscription',
    choices: OAUTH_LEVELS,
    byDefault: 'auto',
  }),
} as const;
