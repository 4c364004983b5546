import { EdrlakeError } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { HooksSpec, Pipeline } from '../src/workflow/definition/define-pipeline.ts';
import type { PostJson } from '../src/workflow/engine/hooks.ts';
import { hastyClock, virtualClock } from './virtual-clock.ts';
import { definePipeline, newStage, RUN_ID, type Stage } from './workflow-stage.ts';

let stage: Stage;
beforeEach(async () => {
  stage = await newStage();
});
afterEach(() => stage.remove());

const quiet = { random: () => 0.5, emit: () => {}, signal: new AbortController().signal };

const ENDS = {
  done: async () => ({ rows: 3 }),
  mismatch: async () => ({ outcome: 'mismatch', secret: 'hunter2' }),
  rejected: async () => ({ outcome: 'rejected', secret: 'hunter2' }),
  partly: async () => ({ outcome: 'partly' }),
  failed: async () => {
    throw new EdrlakeError('SERVER_ERROR', 'the gateway is ill');
  },
};

function pipelineEnding(end: keyof typeof ENDS, hooks: HooksSpec): Pipeline {
  return definePipeline({ name: 'reported', tasks: { a: { run: ENDS[end] } }, hooks });
}

const hooks: HooksSpec = {
  onSuccess: { url: 'http://localhost/success' },
  onFailure: {
    url: 'http://localhost/failure?token=s3cret',
    headers: { authorization: 'Bearer s3cret' },
    timeoutMs: 500,
    attempts: 4,
  },
  onMismatch: { url: 'http://localhost/mismatch' },
  onRejects: { url: 'http://localhost/rejects' },
};

/** Answers with one status after the other, null for none, and records the requests. */
function receiver(...statuses: (number | null)[]) {
  const received: { url: string; body: string; headers: Readonly<Record<string, string>> }[] = [];
  const post: PostJson = async (url, body, headers) => {
    received.push({ url, body, headers });
    const status = statuses[received.length - 1];
    if (typeof status !== 'number') throw new TypeError('fetch failed: Bearer s3cret');
    return status;
  };
  return { post, received };
}

describe('the end of a run', () => {
  it.each([
    ['done', 'success'],
    ['mismatch', 'mismatch'],
    ['rejected', 'rejects'],
    ['partly', 'failure'],
    ['failed', 'failure'],
  ] as const)('%s is reported to its hook', async (end, path) => {
    const { post, received } = receiver(200);
    const result = await stage.run(pipelineEnding(end, hooks), { post });
    expect(result.state).toBe(end);
    expect(received.map(({ url }) => new URL(url).pathname)).toEqual([`/${path}`]);
    expect(result.hooks).toMatchObject([{ delivered: true, attempts: 1 }]);
  });

  it('is reported in JSON, without results, params and secrets', async () => {
    const { post, received } = receiver(204);
    await stage.run(pipelineEnding('failed', hooks), { post });
    expect(received[0]?.headers).toEqual({ 'content-type': 'application/json', authorization: 'Bearer s3cret' });
    expect(JSON.parse(received[0]?.body ?? '')).toEqual({
      pipeline: 'reported',
      runId: RUN_ID,
      outcome: 'failed',
      startedAt: '1970-01-01T00:00:00.000Z',
      durationMs: 0,
      requests: 0,
      rows: 0,
      tasks: [
        {
          name: 'a',
          state: 'failed',
          attempts: 1,
          durationMs: 0,
          error: { code: 'SERVER_ERROR', message: 'the gateway is ill' },
        },
      ],
    });
    const mismatch = receiver(200);
    await stage.run(pipelineEnding('mismatch', hooks), { post: mismatch.post, runId: 'other' });
    expect(mismatch.received[0]?.body).not.toContain('hunter2');
  });

  it('is not reported without a hook', async () => {
    const { post, received } = receiver();
    const result = await stage.run(pipelineEnding('done', {}), { post });
    expect([received, result.hooks]).toEqual([[], []]);
  });
});

describe('a webhook', () => {
  it.each([
    ['no answer, a limit and an ill server are tried again', [null, 429, 503, 200], null, 4, [500, 1_000, 2_000]],
    [
      'a webhook that is never accepted is abandoned',
      [null, null, null, null, 200],
      'it could not be sent',
      ...[4, [500, 1_000, 2_000]],
    ],
    ['a refusal is final', [403, 200], 'HTTP 403', 1, []],
    ['a redirect is one', [302, 200], 'HTTP 302', 1, []],
  ] as const)('%s', async (_what, statuses, reason, attempts, delaysMs) => {
    // A limit that is never reached, so that the clock shows only the waits between attempts.
    const clock = hastyClock();
    const waits: number[] = [];
    const sleep = (delayMs: number, signal: AbortSignal) => {
      if (delayMs === 500_000) return new Promise<void>(() => {});
      waits.push(delayMs);
      return clock.sleep(delayMs, signal);
    };
    const patient = { ...hooks, onFailure: { ...hooks.onFailure, url: 'http://localhost/', timeoutMs: 500_000 } };
    const { post, received } = receiver(...statuses);
    const result = await stage.run(pipelineEnding('failed', patient), {
      post,
      services: { ...quiet, clock: { ...clock, nowMs: clock.nowMs, sleep } },
    });
    expect(result.state).toBe('failed');
    expect(result.hooks).toEqual([{ hook: 'onFailure', delivered: reason === null, attempts, reason }]);
    expect(received).toHaveLength(attempts);
    expect(waits).toEqual(delaysMs);
    expect(await stage.journalText()).not.toContain('s3cret');
  });

  it('that does not answer is abandoned after its timeout', async () => {
    const clock = virtualClock();
    const post: PostJson = (_url, _body, _headers, signal) =>
      new Promise((_resolve, reject) => {
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    const running = stage.run(pipelineEnding('failed', hooks), { post, services: { ...quiet, clock } });
    const timesMs: number[] = [];
    for (let step = 0; step < 7; step += 1) timesMs.push(await clock.wakeNext());
    expect(timesMs).toEqual([500, 1_000, 1_500, 2_500, 3_000, 5_000, 5_500]);
    expect((await running).hooks).toEqual([
      { hook: 'onFailure', delivered: false, attempts: 4, reason: 'no answer within 0.5 s' },
    ]);
  });

  it('has the content type of its pipeline alone, in any case of letters', async () => {
    const { post, received } = receiver(200);
    const hook = { url: 'http://localhost/', headers: { 'Content-Type': 'application/cloudevents+json' } };
    await stage.run(pipelineEnding('done', { onSuccess: hook }), { post });
    expect(received.map(({ headers }) => headers)).toEqual([hook.headers]);
  });

  it('that was reported is not reported again when the process died before its last line', async () => {
    const { post, received } = receiver(200, 200);
    const pipeline = pipelineEnding('done', hooks);
    await stage.run(pipeline, { post });
    const lines = (await stage.journalText()).trim().split('\n');
    await stage.writeJournal(`${lines.slice(0, -1).join('\n')}\n`);
    const result = await stage.resume(pipeline, { post });
    expect([result.state, received.length]).toEqual(['done', 1]);
    await stage.writeJournal(`${lines.slice(0, -2).join('\n')}\n`);
    await stage.resume(pipeline, { post });
    expect(received).toHaveLength(2);
  });
});
