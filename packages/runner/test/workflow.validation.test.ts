import { EdrlakeError } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import type { AnyTask, Pipeline } from '../src/workflow/definition/define-pipeline.ts';
import { validatePipeline } from '../src/workflow/definition/validate-pipeline.ts';

const registry = {
  sync: {
    meaning: 'brings in what is new',
    parseInput: (input: unknown) => {
      if (typeof input === 'object' && input !== null && 'lookback' in input) {
        throw new EdrlakeError('CONFIG_INVALID', 'unknown key lookback', { hint: 'Did you mean lookBackMs?' });
      }
      return input;
    },
    run: async () => null,
  },
  reconcile: { meaning: 'compares', parseInput: (input: unknown) => input, run: async () => null },
};

const run = async () => null;

function problemOf(value: unknown): { code: string; message: string; hint: string | null } {
  try {
    validatePipeline(value, registry);
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) return { code: thrown.code, message: thrown.message, hint: thrown.hint };
    throw thrown;
  }
  return { code: 'none', message: '', hint: null };
}

function withTasks(tasks: Record<string, unknown>, rest: object = {}): unknown {
  return { name: 'nightly', tasks, ...rest };
}

describe('a good pipeline', () => {
  it('is ordered: every task after its needs, otherwise as declared', () => {
    const pipeline: Pipeline = {
      name: 'nightly',
      schedule: { cron: '30 2 * * *', timeZone: 'Europe/Berlin' },
      params: {
        days: { type: 'number', meaning: 'how many', default: 7 },
        from: { type: 'day', meaning: 'first', default: null },
      },
      tasks: {
        last: { run, needs: ['reconcile', 'sync'] },
        sync: { uses: 'sync' },
        reconcile: {
          uses: 'reconcile',
          needs: ['sync', 'sync'],
          with: { days: 7 },
          retries: { attempts: 3, firstDelayMs: 1, maxDelayMs: 9 },
        },
        apart: { run, when: 'always' },
      },
      hooks: { onFailure: { url: 'https://hooks.example.com/x', headers: { authorization: 'Bearer x' }, attempts: 5 } },
    };
    const { tasks } = validatePipeline(pipeline, registry);
    expect(tasks.map(({ name, needs, upstream }) => [name, needs, [...upstream].sort()])).toEqual([
      ['sync', [], []],
      ['reconcile', ['sync'], ['sync']],
      ['last', ['reconcile', 'sync'], ['reconcile', 'sync']],
      ['apart', [], []],
    ]);
  });
});

describe('a bad pipeline is refused with its place', () => {
  const cases: [string, unknown, string, RegExp | null][] = [
    ['not a pipeline', 42, 'expected a pipeline, made by definePipeline', /export default/],
    [
      'no name',
      { tasks: { a: { run } } },
      'pipeline name: expected a letter, then at most 63 letters, digits, dashes or underscores, found nothing',
      null,
    ],
    [
      'bad name',
      { name: '../x', tasks: { a: { run } } },
      'pipeline name: expected a letter, then at most 63 letters, digits, dashes or underscores, found "../x"',
      null,
    ],
    ['empty', withTasks({}), 'pipeline "nightly": it has no tasks', /at least one/],
    [
      'unknown key',
      withTasks({ a: { run } }, { shedule: {} }),
      'pipeline "nightly", shedule: there is no such key',
      /Did you mean schedule\?/,
    ],
    [
      'bad task name',
      withTasks({ 'a b': { run } }),
      'pipeline "nightly": the task name "a b": expected a letter, then at most 63 letters, digits, dashes or underscores',
      null,
    ],
    ['no task', withTasks({ a: 3 }), 'pipeline "nightly", task "a": expected an object, found 3', null],
    [
      'unknown key of a task',
      withTasks({ a: { run, retires: {} } }),
      'pipeline "nightly", task "a", retires: there is no such key',
      /Did you mean retries\?/,
    ],
    [
      'both',
      withTasks({ a: { run, uses: 'sync' } }),
      'pipeline "nightly", task "a": expected either uses (a registered task) or run (a function of your own)',
      null,
    ],
    [
      'neither',
      withTasks({ a: {} }),
      'pipeline "nightly", task "a": expected either uses (a registered task) or run (a function of your own)',
      null,
    ],
    [
      'with for an own function',
      withTasks({ a: { run, with: {} } }),
      'pipeline "nightly", task "a", with: only a task that uses a registered one takes it',
      null,
    ],
    [
      'unknown need',
      withTasks({ sync: { run }, b: { run, needs: ['snyc'] } }),
      'pipeline "nightly", task "b", needs: there is no task "snyc"',
      /Did you mean sync\?/,
    ],
    [
      'a circle',
      withTasks({
        start: { run },
        a: { run, needs: ['start', 'c'] },
        b: { run, needs: ['a'] },
        c: { run, needs: ['b'] },
        end: { run, needs: ['c'] },
      }),
      'pipeline "nightly": its tasks wait for each other in a circle: a → c → b → a',
      null,
    ],
    [
      'itself',
      withTasks({ a: { run, needs: ['a'] } }),
      'pipeline "nightly": its tasks wait for each other in a circle: a → a',
      null,
    ],
    [
      'unknown uses',
      withTasks({ a: { uses: 'reconcil' } }),
      'pipeline "nightly", task "a", uses: no task is registered as "reconcil"',
      /Did you mean reconcile\? Registered tasks: sync, reconcile\./,
    ],
    [
      'inherited uses',
      withTasks({ a: { uses: 'toString' } }),
      'pipeline "nightly", task "a", uses: no task is registered as "toString"',
      /Registered tasks/,
    ],
    [
      'refused input',
      withTasks({ a: { uses: 'sync', with: { lookback: 3 } } }),
      'pipeline "nightly", task "a", with: unknown key lookback',
      /lookBackMs/,
    ],
    [
      'bad attempts',
      withTasks({ a: { run, retries: { attempts: 0, firstDelayMs: 1, maxDelayMs: 1 } } }),
      'pipeline "nightly", task "a", retries.attempts: expected a whole number from 1 to 100, found 0',
      null,
    ],
    [
      'half of retries',
      withTasks({ a: { run, retries: { attempts: 3 } } }),
      'pipeline "nightly", task "a", retries.firstDelayMs: it is missing',
      null,
    ],
    [
      'delays upside down',
      withTasks({ a: { run, retries: { attempts: 3, firstDelayMs: 5, maxDelayMs: 4 } } }),
      'pipeline "nightly", task "a", retries: maxDelayMs 4 is less than firstDelayMs 5',
      null,
    ],
    [
      'bad time limit',
      withTasks({ a: { run, timeoutMs: '5m' } }),
      'pipeline "nightly", task "a", timeoutMs: expected a whole number from 1 to 2147483647, found "5m"',
      null,
    ],
    [
      'bad condition',
      withTasks({ a: { run, when: 'never' } }),
      `pipeline "nightly", task "a", when: expected 'success', 'always' or 'failure', found "never"`,
      null,
    ],
    [
      'failure of nothing',
      withTasks({ a: { run, when: 'failure' } }),
      `pipeline "nightly", task "a", when: 'failure' never comes for a task without needs`,
      null,
    ],
    [
      'bad cron',
      withTasks({ a: { run } }, { schedule: { cron: '61 * * * *', timeZone: 'UTC' } }),
      'pipeline "nightly", schedule: the cron line "61 * * * *" cannot be read: Invalid value for minute: 61',
      /30 2/,
    ],
    [
      'seconds in cron',
      withTasks({ a: { run } }, { schedule: { cron: '* * * * * *', timeZone: 'UTC' } }),
      'pipeline "nightly", schedule: the cron line "* * * * * *" cannot be read: mode \'5-part\' requires exactly 5 parts, but pattern \'* * * * * *\' has 6 parts.',
      null,
    ],
    [
      'never due',
      withTasks({ a: { run } }, { schedule: { cron: '0 0 30 2 *', timeZone: 'UTC' } }),
      'pipeline "nightly", schedule: the cron line "0 0 30 2 *" names a date that never comes',
      null,
    ],
    [
      'bad zone',
      withTasks({ a: { run } }, { schedule: { cron: '@daily', timeZone: 'Europe/Berln' } }),
      'pipeline "nightly", schedule: there is no time zone "Europe/Berln"',
      /Did you mean Europe\/Berlin\?/,
    ],
    [
      'no zone',
      withTasks({ a: { run } }, { schedule: { cron: '@daily' } }),
      'pipeline "nightly", schedule.timeZone: it is missing',
      null,
    ],
    [
      'param the clock lacks',
      withTasks(
        { a: { run } },
        { schedule: { cron: '@daily', timeZone: 'UTC' }, params: { from: { type: 'day', meaning: 'x' } } },
      ),
      'pipeline "nightly", schedule: the parameter from has no value when the schedule starts the run',
      /default/,
    ],
    [
      'bad param type',
      withTasks({ a: { run } }, { params: { n: { type: 'int', meaning: 'x' } } }),
      'pipeline "nightly", params.n.type: expected one of day, text, number, boolean, found "int"',
      null,
    ],
    [
      'bad default',
      withTasks({ a: { run } }, { params: { d: { type: 'day', meaning: 'x', default: '2026-02-30' } } }),
      'pipeline "nightly", params.d.default: expected a day or null, found "2026-02-30"',
      null,
    ],
    [
      'bad hook',
      withTasks({ a: { run } }, { hooks: { onFailed: { url: 'https://x' } } }),
      'pipeline "nightly", hooks.onFailed: there is no such key',
      /onFailure/,
    ],
    [
      'secret in a bad url',
      withTasks({ a: { run } }, { hooks: { onFailure: { url: 'ftp://token@x' } } }),
      'pipeline "nightly", hooks.onFailure.url: expected an http or https URL without a user name in it',
      null,
    ],
    [
      'secret in a header of two lines',
      withTasks({ a: { run } }, { hooks: { onFailure: { url: 'https://x', headers: { token: 's3cret\nx' } } } }),
      'pipeline "nightly", hooks.onFailure.headers.token: expected a text of one line, of characters that HTTP can send',
      null,
    ],
    [
      'header with a blank in its name',
      withTasks({ a: { run } }, { hooks: { onFailure: { url: 'https://x', headers: { 'a token': 'x' } } } }),
      'pipeline "nightly", hooks.onFailure.headers.a token: expected a name of letters, digits and hyphens',
      null,
    ],
    [
      'header of the connection',
      withTasks({ a: { run } }, { hooks: { onFailure: { url: 'https://x', headers: { 'Content-Length': '3' } } } }),
      'pipeline "nightly", hooks.onFailure.headers.Content-Length: expected no header that the connection sets itself',
      null,
    ],
    [
      'secret in bad headers',
      withTasks({ a: { run } }, { hooks: { onFailure: { url: 'https://x', headers: { token: 7 } } } }),
      'pipeline "nightly", hooks.onFailure.headers: expected texts by name',
      null,
    ],
  ];

  it.each(cases)('%s', (_what, value, message, hint) => {
    const problem = problemOf(value);
    expect(problem).toMatchObject({ code: 'CONFIG_INVALID', message });
    if (hint !== null) expect(problem.hint).toMatch(hint);
  });

  it('too many tasks', () => {
    const tasks = Object.fromEntries(Array.from({ length: 1_001 }, (_, n): [string, AnyTask] => [`t${n}`, { run }]));
    expect(problemOf(withTasks(tasks)).message).toContain('it has 1001 tasks, more than 1000');
  });
});
