import { listFlag, optionalFlag, readClockSkew, readText, valueFlag, wholeNumber } from './flag-kinds.ts';

/** The events of a simulated gateway, and what goes wrong there. */
export const SIMULATOR_FLAGS = {
  seed: valueFlag({
    group: 'Simulated data',
    valueName: 'N',
    describe: 'The same seed gives the same events',
    expected: 'a whole number from 0 to 4294967295',
    read: wholeNumber(0, 4_294_967_295),
    byDefault: 1,
  }),
  events: valueFlag({
    group: 'Simulated data',
    valueName: 'N',
    describe: 'Events in the whole range',
    expected: 'a whole number from 0 to 1000000000',
    read: wholeNumber(0, 1_000_000_000),
    byDefault: 100_000,
  }),
  'busy-minutes': valueFlag({
    group: 'Simulated data',
    valueName: 'N',
    describe: 'Minutes with 12,000 events of their own',
    expected: 'a whole number from 0 to 1000',
    read: wholeNumber(0, 1_000),
    byDefault: 0,
  }),
  'busy-second': valueFlag({
    group: 'Simulated data',
    valueName: 'N',
    describe: 'Events of one busy second',
    expected: 'a whole number from 0 to 1000000',
    read: wholeNumber(0, 1_000_000),
    byDefault: 0,
  }),
  'max-page-size': valueFlag({
    group: 'Simulated data',
    valueName: 'N',
    describe: 'Largest page it gives',
    expected: 'a whole number from 1 to 10000',
    read: wholeNumber(1, 10_000),
    byDefault: 1_000,
  }),
  'clock-skew': optionalFlag({
    group: 'Simulated data',
    valueName: 'TIME',
    describe: 'How far its clock is ahead, or no Date header',
    expected: 'a length of time such as 9h or -9h, or none',
    read: readClockSkew,
    defaultText: '0s',
  }),
  fault: listFlag({
    group: 'Simulated data',
    valueName: 'FAULT',
    describe: 'What goes wrong, see below; may be repeated',
    expected: 'a fault such as status:500@3 or reset@10',
    read: readText,
  }),
};
