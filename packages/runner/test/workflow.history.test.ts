import type { SpooledPage } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lastSuccessAtMs, listRuns, readRun } from '../src/history/run-history.ts';
import { runReportOf } from '../src/history/run-report.ts';
import { openJournal } from '../src/journal/journal-file.ts';
import type { JournalLine } from '../src/run/journal.ts';
import type { ExportReport, ExportSelection } from '../src/run/types.ts';
import { hastyClock, virtualClock } from './virtual-clock.ts';
import { definePipeline, newStage, ownerWith, RUN_ID, type Stage } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

const dead = { isOwnerAlive: () => false };
const alive = { isOwnerAlive: () => true };
const quiet = { random: () => 0.5, emit: () => {}, signal: new AbortController().signal };

const OWNER = ownerWith(1);

async function writeExport(runId: string, ...lines: JournalLine[]): Promise<void> {
  const journal = await openJournal<JournalLine>(stage.runsDirectory, runId, 'continue');
  for (const line of lines) await journal.append(line);
  await journal.close();
}

// The history reads neither in full.
const subject = { source: 'test', pageSize: 1_000, request: {} as ExportSelection };
const report = { outcome: 'partly', requestsMade: 12, events: { new: 30, changed: 3 } } as unknown as ExportReport;

describe('the history of a run', () => {
  it('counts the work of killed attempts by the journals of their exports', async () => {
    const clock = virtualClock(1_000);
    const pipeline = definePipeline({
      name: 'nightly',
      tasks: { sync: { run: async () => ({ requests: 5, rows: 7 }) } },
    });
    await stage.run(pipeline, { services: { ...quiet, clock } });
    const partOf = { runId: RUN_ID, task: 'sync' };
    const page = (atMs: number): JournalLine => ({ type: 'page', atMs, page: {} as SpooledPage });
    const plan: JournalLine = {
      type: 'plan',
      atMs: 1_010,
      windows: [],
      emptyWindows: [],
      events: 9,
      planRequests: 2,
      pages: 3,
    };
    // In the same second in which the pipeline began, and before it in the order of ids.
    await writeExport(
      `${RUN_ID.split('-')[0]}-000000`,
      { type: 'start', atMs: 1_000, owner: OWNER, subject, partOf },
      plan,
      page(1_020),
      page(1_500),
      { type: 'start', atMs: 3_000, owner: OWNER, subject, partOf },
      page(3_100),
      { type: 'finish', atMs: 3_200, report },
    );
    await writeExport(
      '20261123T000000Z-a',
      { type: 'start', atMs: 2_000, owner: OWNER, subject, partOf },
      page(2_100),
      { type: 'stop', atMs: 2_200, code: 'TIMEOUT', message: 'm' },
    );
    const run = await readRun(stage.runsDirectory, RUN_ID, dead);
    // Two counts and two pages before the kill, one page before the stop; finished work is in the task's own result.
    expect(run).toMatchObject({ requests: 5 + 4 + 1, rows: 7, durationMs: 500 });
    expect(run.tasks).toMatchObject([{ name: 'sync', requests: 10, durationMs: 500 }]);
    expect((await listRuns(stage.runsDirectory, { limit: 3, ...dead })).map(({ requests }) => requests)).toEqual([
      1,
      10,
      4 + 12,
    ]);
  });

  it('is what the run itself reported', async () => {
    const clock = virtualClock(1_000);
    const pipeline = definePipeline({
      name: 'nightly',
      params: { days: { type: 'number', meaning: 'x', default: 2 } },
      tasks: {
        sync: {
          retries: { attempts: 2, firstDelayMs: 100, maxDelayMs: 100 },
          run: async (_facts, { services, attempt }) => {
            await clock.sleep(10 * attempt, services.signal);
            if (attempt === 1) throw new RangeError('no');
            return { rows: 5, requests: 2, extra: { rows: 'many' } };
          },
        },
        each: {
          needs: ['sync'],
          forEach: () => ['a', 'b'],
          run: async ({ partition }) => ({ rows: partition === 'a' ? 1 : 2 }),
        },
      },
    });
    const running = stage.run(pipeline, { services: { ...quiet, clock } });
    // The first attempt, the wait for the second, the second.
    for (let waits = 0; waits < 3; waits += 1) await clock.wakeNext();
    const result = await running;
    expect(await readRun(stage.runsDirectory, RUN_ID, alive)).toEqual(runReportOf(result));
    expect(runReportOf(result)).toMatchObject({
      kind: 'pipeline',
      pipeline: 'nightly',
      state: 'done',
      startedAtMs: 1_000,
      endedAtMs: 1_080,
      durationMs: 80,
      requests: 2,
      rows: 8,
      params: { days: 2 },
      starts: 1,
      error: null,
    });
    expect(result.tasks).toMatchObject([
      { name: 'sync', attempts: 2, startedAtMs: 1_000, durationMs: 30, rows: 5, error: null, parts: null },
      {
        name: 'each',
        attempts: 2,
        rows: 3,
        parts: [
          { partition: 'a', rows: 1 },
          { partition: 'b', rows: 2 },
        ],
      },
    ]);
  });

  it('shows the work of a live process, and what a dead one left', async () => {
    const pipeline = definePipeline({
      name: 'cut',
      tasks: {
        first: { run: async () => ({ rows: 1 }) },
        each: { needs: ['first'], forEach: () => ['a', 'b', 'c'], concurrency: 1, run: async () => ({ rows: 1 }) },
        last: { needs: ['each'], run: async () => null },
      },
    });
    await stage.run(pipeline);
    const lines = (await stage.journalText()).trim().split('\n');
    // start, first ×2, fan-out, a ×2, start of b.
    await stage.writeJournal(`${lines.slice(0, 7).join('\n')}\n{"type":"task-e`);
    const shown = async (owner: typeof dead) => {
      const { state, rows, endedAtMs, tasks } = await readRun(stage.runsDirectory, RUN_ID, owner);
      return [state, rows, endedAtMs, tasks.map((task) => task.state), tasks[1]?.parts?.map((part) => part.state)];
    };
    expect(await shown(alive)).toEqual([
      'running',
      2,
      null,
      ['done', 'running', 'pending'],
      ['done', 'running', 'pending'],
    ]);
    expect(await shown(dead)).toEqual(['died', 2, 0, ['done', 'died', 'pending'], ['done', 'died', 'pending']]);
  });

  it('of a run whose state a server keeps says what the server says, or that it is unknown', async () => {
    const pipeline = definePipeline({ name: 'there', tasks: { wait: { run: async () => ({}) } } });
    await stage.run(pipeline);
    const [first = '', begun = ''] = (await stage.journalText()).split('\n');
    const workflow = { id: 'edrlake/acme/there', runId: 'f00' };
    const start = JSON.stringify({ ...JSON.parse(first), engine: 'temporal', workflow });
    await stage.writeJournal(`${start}\n${begun}\n`);
    const shown = async (look: Parameters<typeof readRun>[2]) => {
      const { state, endedAtMs, tasks } = await readRun(stage.runsDirectory, RUN_ID, look);
      return [state, endedAtMs, tasks[0]?.state];
    };
    // Workers come and go, and go on: neither a live nor a dead one says anything of the run.
    expect(await shown(alive)).toEqual(['unknown', 0, 'running']);
    expect(await shown(dead)).toEqual(['unknown', 0, 'running']);
    const asked: unknown[] = [];
    const saying = (state: 'interrupted' | 'running' | 'unknown') => {
      return {
        ...alive,
        askEngine: async (about: unknown) => {
          asked.push(about);
          return state;
        },
      };
    };
    expect(await shown(saying('interrupted'))).toEqual(['interrupted', 0, 'died']);
    expect(await shown(saying('unknown'))).toEqual(['unknown', 0, 'running']);
    expect(await shown({ ...saying('running'), ...dead })).toEqual(['running', null, 'running']);
    expect(asked).toEqual([workflow, workflow, workflow]);
    // One that has ended is not asked for.
    await stage.writeJournal(
      `${start}\n${begun}\n${JSON.stringify({ type: 'pipeline-end', atMs: 1, outcome: 'done' })}\n`,
    );
    expect((await shown(saying('running')))[0]).toBe('done');
    expect(asked).toHaveLength(3);
  });

  it('counts only the time that processes worked on it', async () => {
    const run = async () => {
      throw new RangeError('no');
    };
    const pipeline = definePipeline({
      name: 'legs',
      tasks: { a: { run, retries: { attempts: 2, firstDelayMs: 100, maxDelayMs: 100 } } },
    });
    await stage.run(pipeline, { services: { ...quiet, clock: hastyClock(0) } });
    const result = await stage.resume(pipeline, { services: { ...quiet, clock: hastyClock(86_400_000) } });
    expect(result).toMatchObject({ startedAtMs: 0, endedAtMs: 86_400_050, durationMs: 100, starts: 2 });
    expect(result.tasks[0]?.attempts).toBe(4);
  });

  it('of an unknown run is an error', async () => {
    await expect(readRun(stage.runsDirectory, 'nope', dead)).rejects.toMatchObject({
      code: 'RUN_MISSING',
      exitCode: 2,
    });
    await expect(readRun(stage.runsDirectory, '../../etc/passwd', dead)).rejects.toMatchObject({ code: 'RUN_MISSING' });
  });
});

describe('the list of runs', () => {
  it('has pipelines and exports, newest first, as many as asked for', async () => {
    await writeExport(
      '20261101T000000Z-a',
      { type: 'start', atMs: 100, owner: OWNER, subject },
      { type: 'commit', atMs: 150, version: 1, windowIds: [] },
      { type: 'start', atMs: 1_000, owner: OWNER, subject },
      { type: 'finish', atMs: 1_200, report },
    );
    await writeExport('20261102T000000Z-b', { type: 'start', atMs: 300, owner: OWNER, subject });
    await writeExport(
      '20261103T000000Z-c',
      { type: 'start', atMs: 400, owner: OWNER, subject },
      { type: 'stop', atMs: 450, code: 'AUTH_REJECTED', message: 'refused' },
    );
    await writeExport(
      '20261104T000000Z-d',
      { type: 'start', atMs: 500, owner: OWNER, subject },
      { type: 'stop', atMs: 550, code: 'INTERRUPTED', message: 'stopped' },
    );
    await stage.writeJournal('{"type":"pipeline-sta', '20261105T000000Z-torn');
    const pipeline = definePipeline({ name: 'nightly', tasks: { a: { run: async () => ({ rows: 4 }) } } });
    await stage.run(pipeline, { runId: '20261106T000000Z-e' });

    const runs = await listRuns(stage.runsDirectory, { limit: 10, ...dead });
    const row = (index: number) => {
      const { runId, kind, pipeline: name, state, durationMs, requests, rows, error } = runs[index] ?? {};
      return [runId?.slice(17), kind, name, state, durationMs, requests, rows, error?.code ?? null];
    };
    expect(runs.map((_run, index) => row(index))).toEqual([
      ['e', 'pipeline', 'nightly', 'done', 0, 0, 4, null],
      ['d', 'export', null, 'interrupted', 50, null, null, 'INTERRUPTED'],
      ['c', 'export', null, 'failed', 50, null, null, 'AUTH_REJECTED'],
      ['b', 'export', null, 'died', 0, null, null, null],
      ['a', 'export', null, 'partly', 250, 12, 33, null],
    ]);
    expect(await listRuns(stage.runsDirectory, { limit: 2, ...alive })).toHaveLength(2);
    expect((await listRuns(stage.runsDirectory, { limit: 4, ...alive })).at(-1)?.state).toBe('running');
    expect(await readRun(stage.runsDirectory, '20261101T000000Z-a', dead)).toMatchObject({ starts: 2, tasks: [] });
  });

  it('is empty where nothing ever ran', async () => {
    expect(await listRuns('/nowhere/_runs', { limit: 10, ...dead })).toEqual([]);
  });
});

describe('the last success of a pipeline', () => {
  it('is when its newest run started that came to its end', async () => {
    const ending = (outcome: string) =>
      definePipeline({
        name: 'nightly',
        tasks: {
          a: {
            run: async () => {
              if (outcome === 'failed') throw new RangeError('no');
              return { outcome };
            },
          },
        },
      });
    const at = (nowMs: number, runId: string) => ({ runId, services: { ...quiet, clock: hastyClock(nowMs) } });
    expect(await lastSuccessAtMs(stage.runsDirectory, 'nightly')).toBeNull();
    await stage.run(ending('done'), at(100, 'r1'));
    await stage.run(ending('mismatch'), at(200, 'r2'));
    await stage.run(ending('failed'), at(300, 'r3'));
    await stage.run(ending('partly'), at(400, 'r4'));
    await stage.run({ ...ending('done'), name: 'other' }, at(500, 'r5'));
    expect(await lastSuccessAtMs(stage.runsDirectory, 'nightly')).toBe(200);
  });
});
