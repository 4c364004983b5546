import { EdrlakeError } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readRun } from '../src/history/run-history.ts';
import { runReportOf } from '../src/history/run-report.ts';
import type { AnyFacts, Pipeline } from '../src/workflow/definition/define-pipeline.ts';
import type { RunResult } from '../src/workflow/engine/run-pipeline.ts';
import { definePipeline, newStage, ownerWith, RUN_ID, type Stage, statesOf } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

/** A pipeline over a store that tasks change idempotently; `calls` records which tasks ran. */
function storePipeline(badDay: string | null = null) {
  const store = new Map<string, number>();
  const calls: string[] = [];
  const put = (key: string, value: number) => {
    calls.push(key);
    store.set(key, value);
    return { rows: value };
  };
  const pipeline = definePipeline({
    name: 'store',
    params: { factor: { type: 'number', meaning: 'multiplies', default: 1 } },
    tasks: {
      list: { run: async ({ params }) => ({ ...put('list', params.factor), days: ['d1', 'd2', 'd3'] }) },
      each: {
        needs: ['list'],
        forEach: ({ outputs }) => (outputs.list as { days: string[] }).days,
        retries: { attempts: 2, firstDelayMs: 10, maxDelayMs: 10 },
        run: async ({ partition, params }) => {
          if (partition === badDay) {
            calls.push(partition);
            throw new EdrlakeError('SERVER_ERROR', 'ill', { disposition: 'retry' });
          }
          return put(partition, params.factor * Number(partition.slice(1)));
        },
      },
      compare: { needs: ['each'], when: 'always', run: async () => ({ ...put('compare', 1), outcome: 'mismatch' }) },
      beside: { run: async () => put('beside', 7) },
      alarm: { needs: ['each'], when: 'failure', run: async () => put('alarm', 1) },
      sum: {
        needs: ['compare', 'beside'],
        run: async ({ partitionOutputs }: AnyFacts) =>
          put(
            'sum',
            (partitionOutputs.each ?? []).reduce((sum, { output }) => sum + (output as { rows: number }).rows, 0),
          ),
      },
    },
  });
  return { pipeline, store, calls };
}

/** The part of a result that a resumed run must share with an uninterrupted one. */
function essence(result: RunResult) {
  const { state, params, startedAtMs, requests, rows } = result;
  const tasks = result.tasks.map(({ name, state: standing, output, parts }) => ({
    name,
    standing,
    output,
    parts: parts?.map((part) => [part.partition, part.state, part.rows]) ?? null,
  }));
  return { state, params, startedAtMs, requests, rows, tasks };
}

/** The finished tasks and partitions of a journal. */
function finishedIn(lines: readonly string[]): Set<string> {
  const ends = lines.map((line) => JSON.parse(line)).filter(({ type }) => type === 'task-end');
  return new Set(
    ends.filter(({ outcome }) => /done|mismatch/.test(outcome)).map(({ task, partition }) => partition ?? task),
  );
}

describe('a run whose process died', () => {
  it.each([
    ['in which all goes well', null],
    ['in which a part fails', 'd2'],
  ])('%s, cut after any line, ends as if nothing had happened', async (_what, badDay) => {
    const whole = storePipeline(badDay);
    const expected = essence(await stage.run(whole.pipeline, { params: { factor: 3 }, concurrency: 2 }));
    const journal = (await stage.journalText()).trim().split('\n');
    expect(journal.length).toBeGreaterThanOrEqual(18);

    for (let kept = 1; kept <= journal.length; kept += 1) {
      const lines = journal.slice(0, kept);
      const torn = journal[kept]?.slice(0, -7) ?? '';
      await stage.writeJournal(`${lines.join('\n')}\n${torn}`);
      const again = storePipeline(badDay);
      // A task that was journaled as finished had changed the store before.
      const finished = finishedIn(lines);
      for (const [key, value] of whole.store) if (finished.has(key)) again.store.set(key, value);

      const result = await stage.resume(again.pipeline, { concurrency: 2 });
      expect(essence(result)).toEqual(expected);
      expect(await readRun(stage.runsDirectory, RUN_ID, { isOwnerAlive: () => false })).toEqual(runReportOf(result));
      expect(again.store).toEqual(whole.store);
      const needsNothingAgain = badDay === null ? finished : new Set(['list', 'd1', 'd3', 'beside']);
      expect(again.calls.filter((key) => finished.has(key) && needsNothingAgain.has(key))).toEqual([]);

      // Resumed once more: a finished run is not repeated.
      again.calls.length = 0;
      if (result.state === 'mismatch') {
        expect(essence(await stage.resume(again.pipeline))).toEqual(expected);
        expect(again.calls).toEqual([]);
      }
    }
  });

  it('goes through the same steps when it is killed and resumed again and again', async () => {
    const { pipeline, calls } = storePipeline();
    const expected = essence(await stage.run(pipeline, { concurrency: 1 }));
    const journal = (await stage.journalText()).trim().split('\n');
    await stage.writeJournal(`${journal[0]}\n`);
    calls.length = 0;
    // Each process gets two lines further.
    for (let kept = 1; kept < journal.length + 10; kept += 3) {
      await stage.resume(pipeline, { concurrency: 1 });
      const lines = (await stage.journalText()).trim().split('\n').filter(Boolean);
      await stage.writeJournal(`${lines.slice(0, kept + 3).join('\n')}\n`);
    }
    expect(essence(await stage.resume(pipeline, { concurrency: 1 }))).toEqual(expected);
  });
});

describe('a failed run', () => {
  it('that is resumed repeats failed tasks and tasks that used their results', async () => {
    let healthy = false;
    const calls: string[] = [];
    const call = (name: string) => async () => {
      calls.push(name);
      if (name === 'bad' && !healthy) throw new EdrlakeError('AUTH_REJECTED', 'refused');
      return name;
    };
    const pipeline = definePipeline({
      name: 'repaired',
      tasks: {
        good: { run: call('good') },
        bad: { needs: ['good'], run: call('bad') },
        next: { needs: ['bad'], run: call('next') },
        always: { needs: ['bad'], when: 'always', run: call('always') },
        after: { needs: ['always'], run: call('after') },
        alarm: { needs: ['bad'], when: 'failure', run: call('alarm') },
      },
    });
    expect((await stage.run(pipeline, { concurrency: 1 })).state).toBe('failed');
    expect(calls.splice(0)).toEqual(['good', 'bad', 'always', 'alarm', 'after']);
    healthy = true;
    const result = await stage.resume(pipeline, { concurrency: 1 });
    expect(calls).toEqual(['bad', 'next', 'always', 'after']);
    expect(statesOf(result)).toEqual({
      good: 'done',
      bad: 'done',
      next: 'done',
      always: 'done',
      after: 'done',
      alarm: 'skipped',
    });
    expect([result.state, result.starts, result.error]).toEqual(['done', 2, null]);
    expect(stage.events.filter((event) => event.type === 'task' && event.state === 'reused')).toHaveLength(1);
  });
});

describe('resuming refuses', () => {
  const one: Pipeline = definePipeline({ name: 'one', tasks: { a: { run: async () => null } } });
  const two: Pipeline = definePipeline({
    name: 'one',
    tasks: { a: { run: async () => null }, b: { needs: ['a'], run: async () => null } },
  });

  it.each([
    ['a run that never was', one, 'nowhere', 'RUN_MISSING', 'there is no run nowhere of a pipeline'],
    ['an id that is none', one, '../secret', 'RUN_MISSING', '"../secret" is not the id of a run'],
    ['changed tasks', two, undefined, 'CONFIG_INVALID', 'pipeline "one", task "b": changed since run '],
    [
      'another pipeline',
      { ...one, name: 'other' },
      undefined,
      'CONFIG_INVALID',
      'one of pipeline "one", not of "other"',
    ],
  ])('%s', async (_what, pipeline, runId, code, message) => {
    await stage.run(one);
    const resumed = stage.resume(pipeline, runId === undefined ? {} : { runId });
    await expect(resumed).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  });

  it('other params', async () => {
    await stage.run(one);
    await expect(stage.resume(one, { params: { day: '2026-11-01' } })).rejects.toMatchObject({ code: 'USAGE' });
  });

  it('a run whose process is alive, and a journal without a beginning', async () => {
    await stage.run(one);
    const [first] = (await stage.journalText()).split('\n');
    await stage.writeJournal(`${first}\n`);
    const liveness = { owner: ownerWith(1), isOwnerAlive: () => true };
    await expect(stage.resume(one, { liveness })).rejects.toMatchObject({ code: 'RUN_BUSY' });
    await stage.writeJournal(first?.slice(0, 40) ?? '');
    await expect(stage.resume(one)).rejects.toMatchObject({ code: 'RUN_MISSING' });
  });

  it('nothing, but a new run needs an id of its own', async () => {
    await stage.run(one);
    await expect(stage.run(one)).rejects.toMatchObject({ code: 'RUN_BUSY' });
  });
});

describe('a journal that cannot be written', () => {
  it('ends the run with an error', async () => {
    const pipeline = definePipeline({ name: 'nowhere', tasks: { a: { run: async () => null } } });
    const runsDirectory = '/dev/null/runs';
    await expect(stage.run(pipeline, { runsDirectory })).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE' });
  });
});
