import { COLUMN_TYPES, MS_PER_DAY, MS_PER_MINUTE } from '@edrlake/core';
import { optionalFlag, readInstantMs, readText, switchFlag, valueFlag, wholeNumber, wordsText } from './flag-kinds.ts';

/** Flags of hunts and of commands about single events, and limits of runs. */
export const STORY_FLAGS = {
  iocs: optionalFlag({
    group: 'Result',
    valueName: 'FILE',
    describe: 'List of indicators, or - for standard input',
    expected: 'a file name, or -',
    read: readText,
  }),
  lenient: switchFlag({ group: 'Result', describe: 'Leave out what is no indicator, and say so' }),
  standing: switchFlag({ group: 'Result', describe: 'Always hunt the lists of a folder; say what is new' }),
  hunts: optionalFlag({
    group: 'Result',
    valueName: 'DIR',
    describe: 'Folder with the lists of --standing',
    expected: 'a folder',
    read: readText,
    defaultText: './hunts',
  }),
  explain: switchFlag({ group: 'Result', describe: 'Say which commit, run, window and file it comes from' }),
  api: switchFlag({ group: 'Result', describe: 'Ask the API as well, and show what differs' }),
  'max-requests': optionalFlag({
    group: 'Run',
    valueName: 'N',
    describe: 'Requests this run may send',
    expected: 'a whole number from 1 to 10000000',
    read: wholeNumber(1, 10_000_000),
  }),
  deadline: optionalFlag({
    group: 'Run',
    valueName: 'TIME',
    describe: 'Begin nothing after it: 06:00 (UTC) or ISO instant',
    expected: 'a time of the day in UTC such as 06:00, or an ISO instant such as 2026-11-29T06:00:00Z',
    read: (text) => (deadlineAfter(text, 0) === null ? null : text),
  }),
  depth: valueFlag({
    group: 'Result',
    valueName: 'N',
    describe: 'Generations of processes to show',
    expected: 'a whole number from 1 to 50',
    read: wholeNumber(1, 50),
    byDefault: 6,
  }),
  table: optionalFlag({
    group: 'Result',
    valueName: 'NAME',
    describe: 'One table, such as events',
    expected: 'the name of a table',
    read: readText,
  }),
  where: optionalFlag({
    group: 'Result',
    valueName: 'SQL',
    describe: 'Condition on events, such as "score >= 5"',
    expected: 'a condition in SQL',
    read: readText,
  }),
  as: optionalFlag({
    group: 'Result',
    valueName: 'NAME',
    describe: 'Name of the column',
    expected: 'a name of lower-case letters, digits and _',
    read: readText,
    defaultText: 'made of the path',
  }),
  type: optionalFlag({
    group: 'Result',
    valueName: 'TYPE',
    describe: `Type of the column: ${wordsText(COLUMN_TYPES)}`,
    expected: `one of ${wordsText(COLUMN_TYPES)}`,
    read: (text) => COLUMN_TYPES.find((type) => type === text) ?? null,
    choices: COLUMN_TYPES,
    defaultText: 'that of all values',
  }),
  agent: optionalFlag({
    group: 'Result',
    valueName: 'ID',
    describe: 'Agent of an event that is not in the lake',
    expected: 'the id of an agent',
    read: readText,
  }),
};

/**
 * The instant that a deadline means: the next time of the day in UTC after `nowMs`, or the instant itself; null for any
 * other text.
 */
export function deadlineAfter(text: string, nowMs: number): number | null {
  const [, hour = '', minute = ''] = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(text) ?? [];
  if (hour === '') return readInstantMs(text);
  const ofDayMs = (Number(hour) * 60 + Number(minute)) * MS_PER_MINUTE;
  const todayMs = Math.floor(nowMs / MS_PER_DAY) * MS_PER_DAY + ofDayMs;
  return todayMs > nowMs ? todayMs : todayMs + MS_PER_DAY;
}
