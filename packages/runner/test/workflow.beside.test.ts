import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { definePipeline, newStage, ownerWith, type Stage } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

const ME = ownerWith(1);
const OTHER = ownerWith(2);

/** A pipeline whose run continues until its signal is aborted. */
function waiting() {
  let [begun, end] = [() => {}, () => {}];
  const isBegun = new Promise<void>((resolve) => {
    begun = resolve;
  });
  const isEnding = new Promise<void>((resolve) => {
    end = resolve;
  });
  const run = async () => {
    begun();
    await isEnding;
  };
  const pipeline = definePipeline({
    name: 'nightly',
    params: { since: { type: 'day', meaning: 'where to begin', default: '2026-11-01' } },
    tasks: { a: { run } },
  });
  return { pipeline, isBegun, end: () => end() };
}

const asking = (owner: typeof ME, alive: readonly number[]) => ({
  owner,
  isOwnerAlive: ({ pid }: { readonly pid: number }) => alive.includes(pid),
});

describe('a pipeline that another process runs', () => {
  it('is left alone: the second run names that process and its start, and leaves no trace', async () => {
    const { pipeline, isBegun, end } = waiting();
    const first = stage.run(pipeline, { runId: 'first', liveness: asking(ME, [1, 2]) });
    await isBegun;
    const second = stage.run(pipeline, { runId: 'second', liveness: asking(OTHER, [1, 2]) });
    await expect(second).rejects.toMatchObject({
      code: 'RUN_BUSY',
      message: expect.stringMatching(/^nightly is already running: process 1, since \d{4}-\S+Z, run first$/),
      context: { pipeline: 'nightly', runId: 'first', pid: 1 },
    });
    end();
    expect((await first).state).toBe('done');
    expect((await stage.run(pipeline, { runId: 'third', liveness: asking(OTHER, [1, 2]) })).state).toBe('done');
  });

  it('with other params is another run', async () => {
    const { pipeline, isBegun, end } = waiting();
    const first = stage.run(pipeline, { runId: 'first', liveness: asking(ME, [1, 2]) });
    await isBegun;
    const params = { since: '2026-10-01' };
    const second = stage.run(pipeline, { runId: 'second', params, liveness: asking(OTHER, [1, 2]) });
    end();
    expect([(await first).state, (await second).state]).toEqual(['done', 'done']);
  });

  it('is run again when that process is dead', async () => {
    const { pipeline, isBegun, end } = waiting();
    const first = stage.run(pipeline, { runId: 'first', liveness: asking(ME, [1, 2]) });
    await isBegun;
    end();
    expect((await stage.run(pipeline, { runId: 'second', liveness: asking(OTHER, [2]) })).state).toBe('done');
    await first;
  });

  it('of two that begin at once, exactly one goes on, in either order of writing their journals', async () => {
    for (let round = 0; round < 10; round += 1) {
      const { pipeline, end } = waiting();
      const both = [
        stage.run(pipeline, { runId: `a${round}`, liveness: asking(ME, [1, 2]) }),
        stage.run(pipeline, { runId: `b${round}`, liveness: asking(OTHER, [1, 2]) }),
      ];
      const refusal = await Promise.race(both.map((run) => run.then(() => null).catch((thrown: unknown) => thrown)));
      expect(refusal).toMatchObject({ code: 'RUN_BUSY' });
      end();
      const ends = await Promise.allSettled(both);
      expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    }
  });
});
