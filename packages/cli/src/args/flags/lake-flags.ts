import {
  listFlag,
  optionalFlag,
  readMemorySize,
  readText,
  switchFlag,
  valueFlag,
  wholeNumber,
} from './option-values.ts';

/** Which subscriptions of the configuration file a command works for. */
export const SUBSCRIPTION_FLAGS = {
  subscription: listFlag({
    group: 'Output',
    valueName: 'NAME',
    describe: 'For whom: a subscription, all, or eu-*',
    expected: 'the name of a subscription, all, or a pattern such as eu-*',
    read: (text) => (/^[a-z0-9*?-]+$/.test(text) ? text : null),
  }),
};

/** Where the lake is, and what this machine keeps of a lake in an object store. */
export const PLACE_FLAGS = {
  lake: valueFlag({
    group: 'Lake',
    valueName: 'DIR',
    describe: 'Directory of the lake, or s3://BUCKET/PREFIX',
    expected: 'a directory or an address such as s3://bucket/prefix',
    read: readText,
    byDefault: './lake',
  }),
  work: optionalFlag({
    group: 'Lake',
    valueName: 'DIR',
    describe: 'Of an s3:// lake: unfinished work and copies',
    expected: 'a directory',
    read: readText,
    defaultText: '~/.local/state/edrlake/…',
  }),
  cache: valueFlag({
    group: 'Lake',
    valueName: 'SIZE',
    describe: 'Of an s3:// lake: disk for copies of its files',
    expected: 'a size of at least 300MB, such as 20GB',
    read: readMemorySize,
    byDefault: '20GB',
  }),
  encryption: optionalFlag({
    group: 'Lake',
    valueName: 'HOW',
    describe: 'Of an s3:// lake: AES256, aws:kms or a key id',
    expected: 'AES256, aws:kms or the id or ARN of a KMS key',
    read: readText,
  }),
};

/** Where a page of the lake is, and who may ask it. */
export const SERVE_FLAGS = {
  port: optionalFlag({
    group: 'Server',
    valueName: 'N',
    describe: 'Port to listen on; 0 takes a free one',
    expected: 'a whole number from 0 to 65535',
    read: wholeNumber(0, 65_535),
    defaultText: '0',
  }),
  'metrics-port': optionalFlag({
    group: 'Server',
    valueName: 'N',
    describe: 'Serve /metrics for Prometheus on this port',
    expected: 'a whole number from 0 to 65535',
    read: wholeNumber(0, 65_535),
  }),
  host: valueFlag({
    group: 'Server',
    valueName: 'ADDRESS',
    describe: 'Address to listen on; others than loopback need a token',
    expected: 'an address of this machine such as 127.0.0.1',
    read: readText,
    byDefault: '127.0.0.1',
  }),
  serve: switchFlag({ group: 'Server', describe: 'Then show the lake as a page, until Ctrl-C' }),
  'token-file': optionalFlag({
    group: 'Server',
    valueName: 'FILE',
    describe: 'File with the token that visitors need',
    expected: 'a file that only this user may read',
    read: readText,
  }),
};
