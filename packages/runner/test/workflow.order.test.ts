import { EventEmitter, once } from 'node:events';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pipeline } from '../src/workflow/definition/define-pipeline.ts';
import { definePipeline, newStage, type Stage, statesOf } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

/** Tasks t0…tn-1, each needing some of those before it, declared in a shuffled order. */
const graphs = fc.integer({ min: 1, max: 9 }).chain((size) =>
  fc.record({
    needs: fc.tuple(
      ...Array.from({ length: size }, (_, index) => fc.subarray(Array.from({ length: index }, (_, at) => `t${at}`))),
    ),
    order: fc.shuffledSubarray(
      Array.from({ length: size }, (_, index) => index),
      { minLength: size, maxLength: size },
    ),
    turns: fc.array(fc.integer({ min: 0, max: 3 }), { minLength: size, maxLength: size }),
    concurrency: fc.integer({ min: 1, max: 4 }),
  }),
);

describe('tasks', () => {
  it('start once each, after everything they need, and never more at once than allowed', async () => {
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(graphs, async ({ needs, order, turns, concurrency }) => {
        runs += 1;
        const log: string[] = [];
        let working = 0;
        let most = 0;
        const tasks = order.map((index) => {
          const name = `t${index}`;
          const run = async () => {
            log.push(`start ${name}`);
            working += 1;
            most = Math.max(most, working);
            for (let turn = 0; turn < (turns[index] ?? 0); turn += 1) await new Promise(setImmediate);
            working -= 1;
            log.push(`end ${name}`);
            return { name };
          };
          return [name, { needs: needs[index] ?? [], run }] as const;
        });
        const pipeline: Pipeline = { name: 'random', tasks: Object.fromEntries(tasks) };
        const result = await stage.run(pipeline, { concurrency, runId: `run-${runs}` });

        expect(result.state).toBe('done');
        expect(most).toBeLessThanOrEqual(concurrency);
        expect(log).toHaveLength(2 * order.length);
        for (const [index, wanted] of needs.entries()) {
          const start = log.indexOf(`start t${index}`);
          expect(start).toBe(log.lastIndexOf(`start t${index}`));
          for (const need of wanted) expect(log.indexOf(`end ${need}`)).toBeLessThan(start);
        }
      }),
      { numRuns: 60, seed: 4711 },
    );
  });

  it('that wait for nothing run in parallel', async () => {
    const arrivals = new EventEmitter();
    const [a, b] = [once(arrivals, 'a'), once(arrivals, 'b')];
    const meet = async (_facts: unknown, { task }: { task: string }) => {
      arrivals.emit(task);
      await Promise.all([a, b]);
    };
    const result = await stage.run(definePipeline({ name: 'pair', tasks: { a: { run: meet }, b: { run: meet } } }));
    expect(result.state).toBe('done');
  });

  it('see the params, the results of upstream tasks, and nothing else', async () => {
    const seen: unknown[] = [];
    const pipeline = definePipeline({
      name: 'facts',
      params: { days: { type: 'number', meaning: 'how many', default: 7 } },
      tasks: {
        a: { run: async () => ({ n: 1, gone: undefined }) },
        b: { needs: ['a'], run: async () => undefined },
        beside: { run: async () => 'no business of c' },
        c: { needs: ['b'], run: async (facts) => void seen.push(facts) },
      },
    });
    await stage.run(pipeline, { params: { days: 3 } });
    expect(seen).toEqual([
      { params: { days: 3 }, outputs: { a: { n: 1 }, b: null }, partitionOutputs: {}, startedAtMs: 0, partition: '' },
    ]);
  });

  it('get the provided value and their own identity', async () => {
    const seen: unknown[] = [];
    const lake = { name: 'lake' };
    const registry = {
      look: {
        meaning: 'looks around',
        parseInput: (input: unknown) => input,
        run: async (
          input: unknown,
          { services: _, notify: _notify, ...context }: { services: unknown; notify: unknown },
        ) => {
          seen.push(input, context);
        },
      },
    };
    const pipeline: Pipeline = { name: 'given', tasks: { a: { uses: 'look', with: () => ({ depth: 2 }) } } };
    await stage.run(pipeline, { registry, provided: lake });
    const run = { pipeline: 'given', runId: '20261122T003012Z-1f9a2c', startedAtMs: 0 };
    expect(seen).toEqual([{ depth: 2 }, { run, task: 'a', partition: null, attempt: 1, provided: lake }]);
  });
});

describe('a failure', () => {
  const fail = async () => {
    throw new TypeError('the password is hunter2');
  };

  it('skips dependent tasks, runs tasks with the condition failure, and leaves the rest alone', async () => {
    const pipeline = definePipeline({
      name: 'failing',
      tasks: {
        bad: { run: fail },
        next: { needs: ['bad'], run: async () => null },
        after: { needs: ['next'], run: async () => null },
        alarm: { needs: ['after'], when: 'failure', run: async () => null },
        cleanup: { needs: ['after'], when: 'always', run: async () => null },
        afterAlarm: { needs: ['alarm'], run: async () => null },
        apart: { run: async () => null },
      },
    });
    const result = await stage.run(pipeline);
    expect(result.state).toBe('failed');
    expect(statesOf(result)).toEqual({
      bad: 'failed',
      next: 'skipped',
      after: 'skipped',
      alarm: 'done',
      cleanup: 'done',
      afterAlarm: 'done',
      apart: 'done',
    });
    expect(result.error).toEqual({ code: 'TASK_FAILED', message: 'task "bad" threw TypeError' });
  });

  it('that does not happen skips tasks with the condition failure, and everything that needs them', async () => {
    const pipeline = definePipeline({
      name: 'fine',
      tasks: {
        good: { run: async () => null },
        alarm: { needs: ['good'], when: 'failure', run: fail },
        afterAlarm: { needs: ['alarm'], run: fail },
      },
    });
    const result = await stage.run(pipeline);
    expect(result.state).toBe('done');
    expect(statesOf(result)).toEqual({ good: 'done', alarm: 'skipped', afterAlarm: 'skipped' });
  });

  it('of another class is quoted for the user who watches, and in no file', async () => {
    await stage.run(definePipeline({ name: 'leaky', tasks: { bad: { run: fail } } }));
    expect(await stage.journalText()).not.toContain('hunter2');
    expect(JSON.stringify(stage.events)).toContain('hunter2');
  });

  it('is also a result that a journal cannot store', async () => {
    const run = async () => ({ when: new Date(0) });
    const result = await stage.run(definePipeline({ name: 'dated', tasks: { bad: { run } } }));
    expect(result.tasks[0]?.error).toEqual({
      code: 'CONFIG_INVALID',
      message: 'task "bad" returned a Date at .when, which a journal cannot keep',
    });
  });
});

describe('a mismatch', () => {
  it('counts as a result: dependent tasks run, and the run ends as a mismatch', async () => {
    const pipeline = definePipeline({
      name: 'comparing',
      tasks: {
        reconcile: { run: async () => ({ outcome: 'mismatch', days: ['2026-11-03'], requests: 2, rows: 10 }) },
        repair: { needs: ['reconcile'], run: async ({ outputs }) => ({ seen: outputs.reconcile, requests: 5 }) },
      },
    });
    const result = await stage.run(pipeline);
    expect(statesOf(result)).toEqual({ reconcile: 'mismatch', repair: 'done' });
    expect([result.state, result.requests, result.rows]).toEqual(['mismatch', 7, 10]);
  });
});
