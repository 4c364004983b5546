// Each row of SPEC.md in the workflow folder is a test of that name here, and each test a row.
import fs, { readFile } from 'node:fs/promises';
import { syncBuiltinESMExports } from 'node:module';
import { EdrlakeError } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Pipeline } from '../src/workflow/definition/define-pipeline.ts';
import { GRACE_MS } from '../src/workflow/engine/execute-task.ts';
import type { RunPipelineOptions } from '../src/workflow/engine/run-pipeline.ts';
import { virtualClock } from './virtual-clock.ts';
import { definePipeline, newStage, ownerWith, type Stage, statesOf } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

type Tasks = Parameters<typeof definePipeline>[0]['tasks'];
const tested: string[] = [];

/** A test of one row. */
function row(id: string, what: string, test: () => Promise<void>): void {
  tested.push(id);
  it(`${id}: ${what}`, test);
}

const pipelineOf = (tasks: Tasks, rest: Partial<Pipeline> = {}) =>
  ({ ...definePipeline({ name: 'spec', tasks }), ...rest }) as Pipeline;
const runOf = (tasks: Tasks, options?: Partial<RunPipelineOptions<unknown>>) => stage.run(pipelineOf(tasks), options);
const ok = async () => 'ok';
const broken = (disposition: 'retry' | 'stop') => async () => {
  throw new EdrlakeError('SERVER_ERROR', 'refused', { disposition });
};
const TWICE = { attempts: 2, firstDelayMs: 1_000, maxDelayMs: 1_000 };

/** The journal's lines of a task, as `type outcome reason`. */
async function linesOf(task: string): Promise<string[]> {
  const texts = (await stage.journalText()).split('\n').filter((line) => line !== '');
  return texts
    .map((line) => JSON.parse(line))
    .filter((line) => line.task === task)
    .map(({ type, outcome, reason }) => [type, outcome, reason].filter((word) => word != null).join(' '));
}

/** What a process leaves that dies after a number of lines. */
async function cutAfter(kept: number): Promise<void> {
  const lines = (await stage.journalText()).trim().split('\n');
  await stage.writeJournal(`${lines.slice(0, kept).join('\n')}\n`);
}

/** Runs some work while no line that contains a text can be appended to any file. */
async function onFullDisk<T>(text: string, work: () => Promise<T>): Promise<T> {
  const real = fs.open;
  fs.open = async (...args) => {
    const handle = await real(...args);
    const append = handle.appendFile.bind(handle);
    handle.appendFile = async (data, options) => {
      if (String(data).includes(text)) throw Object.assign(new Error('ENOSPC: injected'), { code: 'ENOSPC' });
      await append(data, options);
    };
    return handle;
  };
  syncBuiltinESMExports();
  try {
    return await work();
  } finally {
    fs.open = real;
    syncBuiltinESMExports();
  }
}

/** A task that stops the run and ends when its signal is aborted; the run's options beside it. */
function stopping() {
  const stopper = new AbortController();
  const run = async (_facts: unknown, { services }: { services: { signal: AbortSignal } }) => {
    const ended = new Promise((_, reject) => services.signal.addEventListener('abort', reject, { once: true }));
    stopper.abort(new EdrlakeError('INTERRUPTED', 'stopped'));
    await ended;
  };
  const services = { signal: stopper.signal, emit: () => {}, random: () => 0.5, clock: virtualClock() };
  return { run, stopper, options: { services } };
}

describe('a unit', () => {
  row('U1', 'starts when all its needs are finished', async () => {
    await runOf({ a: { run: ok }, b: { needs: ['a'], run: ok } });
    const text = await stage.journalText();
    expect(text.indexOf('"task-end"')).toBeLessThan(text.lastIndexOf('"task-start"'));
    expect(await linesOf('b')).toEqual(['task-start', 'task-end done']);
  });

  row('U2', 'is skipped when a need ended badly', async () => {
    await runOf({ a: { run: broken('stop') }, b: { needs: ['a'], run: ok } });
    expect(await linesOf('b')).toEqual(['task-end skipped need-failed']);
  });

  row('U3', 'for failures is not needed when all needs are finished', async () => {
    await runOf({ a: { run: ok }, b: { needs: ['a'], when: 'failure', run: ok } });
    expect(await linesOf('b')).toEqual(['task-end skipped not-needed']);
  });

  row('U4', 'is not needed when a need was not', async () => {
    const watch = { needs: ['a'], when: 'failure', run: ok } as const;
    await runOf({ a: { run: ok }, watch, b: { needs: ['watch'], run: ok } });
    expect(await linesOf('b')).toEqual(['task-end skipped not-needed']);
  });

  row('U5', 'stays pending when a need was interrupted', async () => {
    const { run, options } = stopping();
    const result = await runOf({ a: { run }, b: { needs: ['a'], when: 'always', run: ok } }, options);
    expect(await linesOf('b')).toEqual([]);
    expect(result.state).toBe('interrupted');
  });

  row('U6', 'that always runs starts after a failure', async () => {
    await runOf({ a: { run: broken('stop') }, b: { needs: ['a'], when: 'always', run: ok } });
    expect(await linesOf('b')).toEqual(['task-start', 'task-end done']);
  });

  row('U7', 'for failures starts when a need ended badly', async () => {
    await runOf({ a: { run: broken('stop') }, b: { needs: ['a'], when: 'failure', run: ok } });
    expect(await linesOf('b')).toEqual(['task-start', 'task-end done']);
  });

  row('U8', 'that returns is done, with its output', async () => {
    const { tasks } = await runOf({ a: { run: async () => ({ rows: 3 }) } });
    expect(tasks).toMatchObject([{ state: 'done', output: { rows: 3 }, rows: 3 }]);
  });

  row('U9', 'says itself that it mismatched or was rejected, and is finished', async () => {
    const said = (outcome: string) => ({ run: async () => ({ outcome }), retries: TWICE });
    const result = await runOf({ a: said('mismatch'), b: said('rejected'), c: { needs: ['a', 'b'], run: ok } });
    expect(statesOf(result)).toEqual({ a: 'mismatch', b: 'rejected', c: 'done' });
    expect(await linesOf('a')).toEqual(['task-start', 'task-end mismatch']);
  });

  row('U10', 'waits for its next attempt', async () => {
    await runOf({
      a: { run: broken('retry'), retries: TWICE },
      b: { run: async () => ({ outcome: 'partly' }), retries: TWICE },
    });
    expect((await linesOf('a')).slice(0, 2)).toEqual(['task-start', 'task-retry']);
    expect((await linesOf('b')).slice(0, 2)).toEqual(['task-start', 'task-retry']);
  });

  row('U11', 'fails with its last attempt', async () => {
    await runOf({ a: { run: broken('retry'), retries: TWICE } });
    expect(await linesOf('a')).toEqual(['task-start', 'task-retry', 'task-start', 'task-end failed']);
  });

  row('U12', 'is partly done when its last attempt is, and keeps the output', async () => {
    const { tasks } = await runOf({ a: { run: async () => ({ outcome: 'partly', rows: 2 }), retries: TWICE } });
    expect(tasks).toMatchObject([{ state: 'partly', attempts: 2, output: { rows: 2 } }]);
  });

  row('U13', 'fails at once where no other attempt can help', async () => {
    await runOf({ a: { run: broken('stop'), retries: TWICE } });
    expect(await linesOf('a')).toEqual(['task-start', 'task-end failed']);
  });

  row('U14', 'that exceeds its timeout and ends at the abort is tried again', async () => {
    const clock = virtualClock();
    const endsWhenTold = async (_facts: unknown, { services }: { services: { signal: AbortSignal } }) =>
      new Promise((_, reject) => services.signal.addEventListener('abort', reject, { once: true }));
    const services = { clock, random: () => 0.5, emit: () => {}, signal: new AbortController().signal };
    const running = runOf({ a: { run: endsWhenTold, timeoutMs: 50, retries: TWICE } }, { services });
    // The time limit, the delay, the time limit.
    for (let waits = 0; waits < 3; waits += 1) await clock.wakeNext();
    expect((await running).tasks).toMatchObject([{ state: 'failed', error: { code: 'TASK_TIMED_OUT' } }]);
    expect(await linesOf('a')).toEqual(['task-start', 'task-retry', 'task-start', 'task-end failed']);
  });

  row('U15', 'that does not end within the grace time is not started beside itself', async () => {
    const clock = virtualClock();
    const services = { clock, random: () => 0.5, emit: () => {}, signal: new AbortController().signal };
    const running = runOf({ a: { run: () => new Promise(() => {}), timeoutMs: 50, retries: TWICE } }, { services });
    await clock.wakeNext();
    await clock.wakeNext();
    await running;
    expect(clock.nowMs()).toBeGreaterThanOrEqual(50 + GRACE_MS);
    expect(await linesOf('a')).toEqual(['task-start', 'task-end failed']);
  });

  row('U16', 'is interrupted when the run is stopped, and has no output', async () => {
    const { run, options } = stopping();
    const { tasks } = await runOf({ a: { run } }, options);
    expect(tasks).toMatchObject([{ state: 'interrupted', output: null }]);
  });

  row('U17', 'starts again when the delay is over', async () => {
    let attempts = 0;
    const run = async () => {
      attempts += 1;
      if (attempts === 1) throw new EdrlakeError('SERVER_ERROR', 'refused', { disposition: 'retry' });
    };
    await runOf({ a: { run, retries: TWICE } });
    expect(await linesOf('a')).toEqual(['task-start', 'task-retry', 'task-start', 'task-end done']);
  });

  row('U18', 'is interrupted while it waits', async () => {
    const { stopper, options } = stopping();
    const services = {
      ...options.services,
      emit: (event: { type: string; state?: string }) => {
        if (event.type === 'task' && event.state === 'retry') stopper.abort();
      },
    };
    await runOf({ a: { run: broken('retry'), retries: TWICE } }, { services });
    expect(await linesOf('a')).toEqual(['task-start', 'task-retry', 'task-end interrupted']);
  });

  row('U19', 'whose process died is pending again, with its attempts counted', async () => {
    const tasks = { a: { run: ok } };
    await runOf(tasks);
    await cutAfter(2);
    expect((await stage.resume(pipelineOf(tasks))).tasks).toMatchObject([{ state: 'done', attempts: 2 }]);
  });

  row('U20', 'that is finished is not run again', async () => {
    let isBroken = true;
    const calls: string[] = [];
    const tasks = {
      a: { run: async () => calls.push('a') },
      b: { run: () => (isBroken ? broken('stop')() : ok()) },
    };
    await runOf(tasks);
    isBroken = false;
    expect((await stage.resume(pipelineOf(tasks))).state).toBe('done');
    expect(calls).toEqual(['a']);
  });

  row('U21', 'that is finished is run again when a need is', async () => {
    let isBroken = true;
    const calls: string[] = [];
    const tasks = {
      a: { run: () => (isBroken ? broken('stop')() : ok()) },
      b: { needs: ['a'], when: 'always', run: async () => calls.push('b') } as const,
    };
    await runOf(tasks);
    isBroken = false;
    await stage.resume(pipelineOf(tasks));
    expect(calls).toEqual(['b', 'b']);
    expect(await stage.journalText()).toContain('"again":["b"]');
  });

  row('U22', 'that ended badly or was skipped for it is pending again', async () => {
    let isBroken = true;
    const { run, options } = stopping();
    const tasks = {
      failed: { run: () => (isBroken ? broken('stop')() : ok()) },
      skipped: { needs: ['failed'], run: ok },
      partly: { run: async () => ({ outcome: isBroken ? 'partly' : 'done' }) },
      interrupted: {
        needs: ['failed', 'partly'],
        when: 'always',
        run: (facts: unknown, context: Parameters<typeof run>[1]) => (isBroken ? run(facts, context) : ok()),
      } as const,
    };
    const before = await runOf(tasks, options);
    const states = { failed: 'failed', skipped: 'skipped', partly: 'partly', interrupted: 'interrupted' };
    expect(statesOf(before)).toEqual(states);
    isBroken = false;
    const after = await stage.resume(pipelineOf(tasks));
    expect(statesOf(after)).toEqual({ failed: 'done', skipped: 'done', partly: 'done', interrupted: 'done' });
  });

  row('U23', 'that was not needed stays so', async () => {
    let isBroken = true;
    const tasks = {
      a: { run: ok },
      b: { needs: ['a'], when: 'failure', run: ok } as const,
      c: { run: () => (isBroken ? broken('stop')() : ok()) },
    };
    await runOf(tasks);
    isBroken = false;
    expect(statesOf(await stage.resume(pipelineOf(tasks)))).toEqual({ a: 'done', b: 'skipped', c: 'done' });
    expect(await linesOf('b')).toEqual(['task-end skipped not-needed']);
  });
});

describe('a task with forEach', () => {
  row('F1', 'keeps its partitions', async () => {
    let day = 'day 1';
    const tasks = { a: { forEach: () => [day], run: ok } };
    await runOf(tasks);
    await cutAfter(2);
    day = 'day 2';
    const { tasks: views } = await stage.resume(pipelineOf(tasks));
    expect(views[0]?.parts).toMatchObject([{ partition: 'day 1', state: 'done' }]);
  });

  row('F2', 'fails when forEach is wrong, and nothing of it runs', async () => {
    const calls: string[] = [];
    const run = async () => calls.push('run');
    const forEach = ({ outputs }: { outputs: { list?: unknown } }) => outputs.list as string[];
    const list = { run: async () => ['same', 'same'] };
    const { state } = await runOf({ list, a: { needs: ['list'], forEach, run } });
    expect([state, calls]).toEqual(['failed', []]);
  });

  row('F3', 'is partly done when some partitions failed, and failed when all did', async () => {
    const run = async ({ partition }: { partition: string }) => {
      if (partition !== 'good') throw new EdrlakeError('SERVER_ERROR', 'refused');
    };
    const result = await runOf({
      some: { forEach: () => ['good', 'bad'], run },
      all: { forEach: () => ['bad', 'worse'], run },
    });
    expect(statesOf(result)).toEqual({ some: 'partly', all: 'failed' });
  });

  row('F4', 'is interrupted when a partition was', async () => {
    const { run, options } = stopping();
    const { tasks } = await runOf({ a: { forEach: () => ['one'], run } }, options);
    expect(tasks).toMatchObject([{ state: 'interrupted', parts: [{ state: 'interrupted' }] }]);
  });
});

describe('a run', () => {
  row('R1', 'ends as its worst task', async () => {
    const said = (outcome: string) => ({ run: async () => ({ outcome }) });
    const all = { rejected: said('rejected'), mismatch: said('mismatch'), partly: said('partly') };
    const worst: string[] = [];
    const tasks: Record<string, object> = { done: { run: ok } };
    for (const [name, task] of Object.entries({ done: { run: ok }, ...all, failed: { run: broken('stop') } })) {
      tasks[name] = task;
      worst.push((await runOf({ ...tasks } as Tasks, { runId: `run-${name}` })).state);
    }
    expect(worst).toEqual(['done', 'rejected', 'mismatch', 'partly', 'failed']);
  });

  row('R2', 'that was stopped is interrupted', async () => {
    const { run, options } = stopping();
    expect((await runOf({ a: { run }, b: { run: broken('stop') } }, options)).state).toBe('interrupted');
    expect((await stage.journalText()).trim().split('\n').at(-1)).toContain('"outcome":"interrupted"');
  });

  row('R3', 'sends its hook before its last line, again after a crash between them', async () => {
    const sent: string[] = [];
    const post = async (url: string) => {
      sent.push(url);
      return 200;
    };
    const pipeline = pipelineOf({ a: { run: ok } }, { hooks: { onSuccess: { url: 'https://hooks.example.com/x' } } });
    await stage.run(pipeline, { post });
    const types = (await stage.journalText())
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).type);
    expect(types.slice(-2)).toEqual(['hook', 'pipeline-end']);
    await cutAfter(types.length - 2);
    await stage.resume(pipeline, { post });
    expect(sent).toHaveLength(2);
  });

  row('R4', 'that is finished does nothing when it is resumed', async () => {
    const tasks = { a: { run: ok } };
    const result = await runOf(tasks);
    const journal = await stage.journalText();
    expect(await stage.resume(pipelineOf(tasks))).toEqual(result);
    expect(await stage.journalText()).toBe(journal);
  });

  row('R5', 'does not begin beside another of the same parameters', async () => {
    const tasks = { a: { run: ok } };
    await runOf(tasks);
    await cutAfter(2);
    const liveness = { owner: ownerWith(2), isOwnerAlive: () => true };
    await expect(runOf(tasks, { runId: 'second', liveness })).rejects.toMatchObject({ code: 'RUN_BUSY' });
    await expect(stage.journalText('second')).rejects.toMatchObject({ code: 'ENOENT' });
  });

  row('R6', 'is not resumed with other tasks', async () => {
    await runOf({ a: { run: broken('stop') } });
    const resumed = stage.resume(pipelineOf({ a: { run: ok }, b: { run: ok } }));
    await expect(resumed).rejects.toMatchObject({ code: 'CONFIG_INVALID' });
  });

  row('R7', 'whose journal cannot be written stops its attempts', async () => {
    let isStopped = false;
    const run = async (_facts: unknown, { services }: { services: { signal: AbortSignal } }) => {
      await new Promise<void>((resolve) => services.signal.addEventListener('abort', () => resolve(), { once: true }));
      isStopped = true;
    };
    const running = onFullDisk('"task-end"', () => runOf({ a: { run }, b: { run: ok } }));
    await expect(running).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE' });
    expect(isStopped).toBe(true);
  });
});

it('has a test for each row, and a row for each test', async () => {
  const text = await readFile(new URL('../src/workflow/SPEC.md', import.meta.url), 'utf8');
  const rows = [...text.matchAll(/^\| ([A-Z]\d+) \|/gm)].map(([, id]) => id);
  expect(tested).toEqual(rows);
});
