import { describe, expect, it } from 'vitest';
import { BUILT_IN_TASKS } from '../src/tasks/built-in-tasks.ts';

describe('a wrong input of a built-in task is reported with its key, the expectation, the value and a hint', () => {
  it.each([
    ['reconcile', { lastDays: -1 }, /^lastDays: expected number to be >=1, found -1$/, /Correct the task/],
    [
      'reconcile',
      { lastDay: 3 },
      /^there is no such key as lastDay$/,
      /Did you mean lastDays\? It takes lastDays, mism/,
    ],
    ['sync', { since: 'yesterday' }, /^since: .*, found "yesterday"$/, /--param/],
    ['sync', { lookBackHours: 'six' }, /^lookBackHours: expected number, found "six"$/, /Correct/],
    ['backfill', { from: '2026-11-01' }, /^to: expected string, found nothing$/, /Correct/],
    ['repair', { days: ['2026-11-01', 'x'] }, /^days\.1: .*, found "x"$/, /Correct/],
    ['compact', { day: 1 }, /^there is no such key as day$/, /It takes nothing\./],
    ['publish', { formats: ['parquet'] }, /^formats\.0: expected one of .*, found "parquet"$/, /Correct/],
    ['publish-ocsf', { to: 'ocsf', layout: 'security-lake' }, /^region: expected the region of the bucket/, /Correct/],
    ['query', { sql: 'select 1', expect: 'row' }, /^expect: expected one of .*, found "row"$/, /Correct/],
  ] as const)('%s %j', (name, given, message, hint) => {
    const expected = {
      code: 'CONFIG_INVALID',
      message: expect.stringMatching(message),
      hint: expect.stringMatching(hint),
    };
    expect(() => BUILT_IN_TASKS[name].parseInput(given)).toThrow(expect.objectContaining(expected));
  });
});
