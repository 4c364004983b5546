import { EdrlakeError } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { GRACE_MS } from '../src/workflow/engine/execute-task.ts';
import { hastyClock, virtualClock } from './virtual-clock.ts';
import { definePipeline, newStage, type Stage, statesOf } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

const busy = () => new EdrlakeError('SERVER_ERROR', 'the gateway is ill', { disposition: 'retry' });
const quiet = { random: () => 0.5, emit: () => {}, signal: new AbortController().signal };

/** A task that fails this number of times before it succeeds. */
function flaky(failures: number, thrown: () => unknown = busy) {
  const attempts: number[] = [];
  const run = async (_facts: unknown, { attempt }: { attempt: number }) => {
    attempts.push(attempt);
    if (attempts.length <= failures) throw thrown();
    return { attempts: attempts.length };
  };
  return { attempts, run };
}

describe('a task that fails', () => {
  const retries = { attempts: 6, firstDelayMs: 1_000, maxDelayMs: 5_000 };

  it('is tried again after random waits that double up to the longest', async () => {
    const clock = hastyClock();
    const { attempts, run } = flaky(5);
    const pipeline = definePipeline({ name: 'flaky', tasks: { a: { run, retries } } });
    const result = await stage.run(pipeline, { services: { ...quiet, clock } });
    expect(attempts).toEqual([1, 2, 3, 4, 5, 6]);
    expect(clock.delaysMs).toEqual([500, 1_000, 2_000, 2_500, 2_500]);
    expect(result).toMatchObject({ state: 'done', durationMs: 8_500 });
    expect(result.tasks[0]).toMatchObject({
      state: 'done',
      attempts: 6,
      durationMs: 0,
      output: { attempts: 6 },
      error: null,
    });
  });

  it('fails for good after its last attempt', async () => {
    const { attempts, run } = flaky(99);
    const result = await stage.run(definePipeline({ name: 'ill', tasks: { a: { run, retries } } }));
    expect(attempts).toHaveLength(6);
    expect(result.state).toBe('failed');
    expect(result.error).toEqual({ code: 'SERVER_ERROR', message: 'the gateway is ill' });
  });

  it.each([
    ['an error that a person must fix', () => new EdrlakeError('AUTH_REJECTED', 'refused'), 1],
    ['what may pass', busy, 2],
    ['an error of the user’s own function', () => new RangeError('too far'), 2],
  ])('is tried again only where that may help: %s', async (_what, thrown, expected) => {
    const { attempts, run } = flaky(1, thrown);
    await stage.run(definePipeline({ name: 'once', tasks: { a: { run, retries } } }));
    expect(attempts).toHaveLength(expected);
  });

  it('is tried once without retries', async () => {
    const { attempts, run } = flaky(1);
    expect((await stage.run(definePipeline({ name: 'plain', tasks: { a: { run } } }))).state).toBe('failed');
    expect(attempts).toEqual([1]);
  });

  it('in part is tried again too, and keeps its last result', async () => {
    let calls = 0;
    const run = async () => {
      calls += 1;
      return { outcome: 'partly', rows: calls };
    };
    const result = await stage.run(definePipeline({ name: 'part', tasks: { a: { run, retries } } }));
    expect(result).toMatchObject({ state: 'partly', rows: 6, error: { code: 'PARTLY_DONE' } });
    expect(calls).toBe(6);
  });

  it('frees its place while it waits', async () => {
    const clock = virtualClock();
    const { run } = flaky(1);
    const finished: string[] = [];
    const other = async () => void finished.push('other');
    const pipeline = definePipeline({ name: 'polite', tasks: { a: { run, retries }, b: { run: other } } });
    const running = stage.run(pipeline, { concurrency: 1, services: { ...quiet, clock } });
    await clock.untilSleeping(1);
    while (finished.length === 0) await new Promise(setImmediate);
    await clock.wakeNext();
    expect((await running).state).toBe('done');
  });
});

describe('a time limit', () => {
  const obedient = (_facts: unknown, { services: { signal } }: { services: { signal: AbortSignal } }) =>
    new Promise<never>((_resolve, reject) => {
      signal.addEventListener('abort', () => reject(signal.reason), { once: true });
    });

  it('holds for each attempt, and aborts it', async () => {
    const clock = virtualClock();
    const pipeline = definePipeline({
      name: 'slow',
      tasks: { a: { run: obedient, timeoutMs: 60_000, retries: { attempts: 2, firstDelayMs: 100, maxDelayMs: 100 } } },
    });
    const running = stage.run(pipeline, { services: { ...quiet, clock } });
    expect(await clock.wakeNext()).toBe(60_000);
    expect(await clock.wakeNext()).toBe(60_050);
    expect(await clock.wakeNext()).toBe(120_050);
    const result = await running;
    expect(result.tasks[0]).toMatchObject({ state: 'failed', attempts: 2, durationMs: 120_000 });
    expect(result.error).toEqual({ code: 'TASK_TIMED_OUT', message: 'it ran longer than 60000 ms' });
  });

  it('is final for a task that does not stop: it must not run twice at once', async () => {
    const clock = virtualClock();
    const deaf = () => new Promise<never>(() => {});
    const pipeline = definePipeline({
      name: 'deaf',
      tasks: { a: { run: deaf, timeoutMs: 1_000, retries: { attempts: 9, firstDelayMs: 0, maxDelayMs: 0 } } },
    });
    const running = stage.run(pipeline, { services: { ...quiet, clock } });
    expect(await clock.wakeNext()).toBe(1_000);
    expect(await clock.wakeNext()).toBe(1_000 + GRACE_MS);
    expect((await running).tasks[0]).toMatchObject({ state: 'failed', attempts: 1, error: { code: 'TASK_TIMED_OUT' } });
  });
});

describe('stopping a run', () => {
  it('aborts running tasks, starts no other, and records it in the journal', async () => {
    const clock = virtualClock();
    const controller = new AbortController();
    const pipeline = definePipeline({
      name: 'stopped',
      tasks: {
        first: { run: async () => 1 },
        hold: { needs: ['first'], run: (_facts, { services }) => clock.sleep(1e9, services.signal) },
        waiting: {
          needs: ['first'],
          retries: { attempts: 3, firstDelayMs: 1e6, maxDelayMs: 1e6 },
          run: async () => {
            throw busy();
          },
        },
        next: { needs: ['hold'], run: async () => 2 },
        always: { needs: ['hold'], when: 'always', run: async () => 3 },
      },
      hooks: { onFailure: { url: 'http://localhost/' } },
    });
    const running = stage.run(pipeline, {
      services: { ...quiet, clock, signal: controller.signal },
      post: async () => {
        throw new EdrlakeError('BUG', 'an interrupt is not reported');
      },
    });
    await clock.untilSleeping(2);
    controller.abort();
    const result = await running;
    expect(result.state).toBe('interrupted');
    expect(statesOf(result)).toEqual({
      first: 'done',
      hold: 'interrupted',
      waiting: 'interrupted',
      next: 'pending',
      always: 'pending',
    });
    const lines = (await stage.journalText()).trim().split('\n');
    expect(JSON.parse(lines.at(-1) ?? '')).toEqual({ type: 'pipeline-end', atMs: 0, outcome: 'interrupted' });
  });

  it('discards the result of a stopped task', async () => {
    const controller = new AbortController();
    const run = async () => {
      controller.abort();
      return 'half of it';
    };
    const services = { ...quiet, clock: hastyClock(), signal: controller.signal };
    const result = await stage.run(definePipeline({ name: 'half', tasks: { a: { run } } }), { services });
    expect(result.tasks[0]).toMatchObject({ state: 'interrupted', output: null });
  });

  it('interrupts a task even if the abort made it fail with another error', async () => {
    const controller = new AbortController();
    const lost = new Promise<never>((_resolve, reject) => {
      controller.signal.addEventListener('abort', () => reject(new EdrlakeError('HOST_UNREACHABLE', 'hung up')));
    });
    const clock = virtualClock();
    const run = () => Promise.race([lost, clock.sleep(1, new AbortController().signal)]);
    const services = { ...quiet, clock, signal: controller.signal };
    const running = stage.run(definePipeline({ name: 'lost', tasks: { a: { run } } }), { services });
    await clock.untilSleeping(1);
    controller.abort();
    expect((await running).state).toBe('interrupted');
  });

  it('before it began runs nothing', async () => {
    const run = async () => {
      throw new EdrlakeError('BUG', 'not to be called');
    };
    const services = { ...quiet, clock: hastyClock(), signal: AbortSignal.abort() };
    const result = await stage.run(definePipeline({ name: 'never', tasks: { a: { run } } }), { services });
    expect([result.state, statesOf(result)]).toEqual(['interrupted', { a: 'pending' }]);
  });
});
