import { EventEmitter, once } from 'node:events';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { AnyFacts } from '../src/workflow/definition/define-pipeline.ts';
import { definePipeline, newStage, type Stage } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

const DAYS = ['2026-11-05', '2026-11-04', '2026-11-03', '2026-11-02', '2026-11-01'];

/** Fails on some days for a number of times, and records its calls. */
function worker(failuresByDay: Record<string, number> = {}) {
  const calls: string[] = [];
  const left = new Map(Object.entries(failuresByDay));
  const run = async ({ partition }: AnyFacts) => {
    calls.push(partition);
    const failures = left.get(partition) ?? 0;
    left.set(partition, failures - 1);
    if (failures > 0) throw new RangeError('not today');
    return { rows: Number(partition.slice(-2)), requests: 1 };
  };
  return { calls, run };
}

describe('a fan-out', () => {
  it('runs its partitions in their order, each with its own attempts, and passes on all results', async () => {
    const { calls, run } = worker({ '2026-11-03': 1 });
    const seen: unknown[] = [];
    const pipeline = definePipeline({
      name: 'days',
      tasks: {
        list: { run: async () => ({ days: DAYS }) },
        each: {
          needs: ['list'],
          forEach: ({ outputs }) => (outputs.list as { days: string[] }).days,
          run,
          concurrency: 1,
          retries: { attempts: 2, firstDelayMs: 0, maxDelayMs: 0 },
        },
        sum: { needs: ['each'], run: async ({ partitionOutputs }) => void seen.push(partitionOutputs.each) },
      },
    });
    const result = await stage.run(pipeline);
    expect(result.state).toBe('done');
    expect(calls).toEqual(['2026-11-05', '2026-11-04', '2026-11-03', '2026-11-03', '2026-11-02', '2026-11-01']);
    expect(seen).toEqual([
      DAYS.map((partition) => ({ partition, output: { rows: Number(partition.slice(-2)), requests: 1 } })),
    ]);
    expect(result.tasks[1]).toMatchObject({ attempts: 6, rows: 15, requests: 5 });
    expect(result.tasks[1]?.parts?.[2]).toMatchObject({ partition: '2026-11-03', state: 'done', attempts: 2 });
  });

  it('keeps finished partitions when one fails; the resumed run repeats only that one', async () => {
    const { calls, run } = worker({ '2026-11-04': 1 });
    const pipeline = definePipeline({
      name: 'partly',
      tasks: { each: { forEach: () => DAYS, run }, next: { needs: ['each'], run: async () => null } },
    });
    const first = await stage.run(pipeline);
    expect(first.state).toBe('partly');
    expect(first.tasks.map(({ state }) => state)).toEqual(['partly', 'skipped']);
    expect(first.error).toEqual({ code: 'TASK_FAILED', message: 'task "each" threw RangeError' });

    calls.length = 0;
    const second = await stage.resume(pipeline);
    expect(calls).toEqual(['2026-11-04']);
    expect([second.state, second.starts, second.rows]).toEqual(['done', 2, 15]);
  });

  it('fails where every partition fails', async () => {
    const { run } = worker({ a: 1, b: 1 });
    const result = await stage.run(
      definePipeline({ name: 'none', tasks: { each: { forEach: () => ['a', 'b'], run } } }),
    );
    expect(result.state).toBe('failed');
  });

  it('over nothing is done', async () => {
    const { run } = worker();
    const result = await stage.run(definePipeline({ name: 'empty', tasks: { each: { forEach: () => [], run } } }));
    expect(result.tasks[0]).toMatchObject({ state: 'done', output: [], parts: [] });
  });

  it('is a mismatch when one partition is', async () => {
    const run = async ({ partition }: AnyFacts) => ({ outcome: partition === 'b' ? 'mismatch' : 'done' });
    const result = await stage.run(
      definePipeline({ name: 'cmp', tasks: { each: { forEach: () => ['a', 'b'], run } } }),
    );
    expect(result.state).toBe('mismatch');
  });

  it('keeps to its own limit and to that of the run', async () => {
    const most = [0, 0];
    // No partition continues before the limit is reached, and then no other may start.
    const crowd = (index: number, limit: number) => {
      const gate = new EventEmitter();
      let working = 0;
      return async () => {
        working += 1;
        most[index] = Math.max(most[index] ?? 0, working);
        if (working < limit) await once(gate, 'full');
        else gate.emit('full');
        await new Promise(setImmediate);
        working -= 1;
      };
    };
    const parts = Array.from({ length: 12 }, (_, index) => `p${index}`);
    const pipeline = definePipeline({
      name: 'limits',
      tasks: {
        narrow: { forEach: () => parts, run: crowd(0, 2), concurrency: 2 },
        wide: { needs: ['narrow'], forEach: () => parts, run: crowd(1, 3), concurrency: 50 },
      },
    });
    await stage.run(pipeline, { concurrency: 3 });
    expect(most).toEqual([2, 3]);
  });

  it.each([
    ['throws', () => JSON.parse('{'), 'threw SyntaxError'],
    ['gives no list', () => 'abc' as unknown as string[], 'gave no list'],
    ['names a part twice', () => ['a', 'b', 'a'], 'gave the part "a" twice'],
    ['names nothing', () => [''], 'gave a part that is not a text of 1 to 200 characters'],
    ['gives numbers', () => [1] as unknown as string[], 'gave a part that is not a text of 1 to 200 characters'],
    ['gives too many', () => Array.from({ length: 10_001 }, (_, n) => `${n}`), 'gave 10001 parts, more than 10000'],
  ])(
    'is refused before anything starts when its forEach %s, and fails when that depends on results',
    async (_what, forEach, message) => {
      const run = async () => null;
      const expected = { code: 'CONFIG_INVALID', message: `the forEach of task "each" ${message}` };
      const early = definePipeline({
        name: 'uneven',
        tasks: { first: { run }, each: { needs: ['first'], forEach, run } },
      });
      await expect(stage.run(early)).rejects.toMatchObject(expected);
      await expect(stage.journalText()).rejects.toMatchObject({ code: 'ENOENT' });
      const late = definePipeline({
        name: 'uneven',
        tasks: {
          first: { run },
          each: { needs: ['first'], forEach: ({ outputs }) => (outputs.first === null ? forEach() : []), run },
        },
      });
      expect((await stage.run(late)).error).toEqual(expected);
    },
  );

  it('of many partitions stays fast', async () => {
    const days = Array.from({ length: 300 }, (_, n) => `day-${n}`);
    const run = async ({ partitionOutputs }: AnyFacts) => partitionOutputs.first?.length ?? 0;
    const pipeline = definePipeline({
      name: 'many',
      tasks: { first: { forEach: () => days, run }, second: { needs: ['first'], forEach: () => days, run } },
    });
    const result = await stage.run(pipeline, { concurrency: 50 });
    expect(result.tasks[1]?.parts?.map(({ state }) => state)).toEqual(days.map(() => 'done'));
    expect(result.tasks[1]?.output).toHaveLength(300);
  });
});
