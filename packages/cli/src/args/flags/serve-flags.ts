import { optionalFlag, readText, switchFlag, valueFlag, wholeNumber } from './flag-kinds.ts';

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
