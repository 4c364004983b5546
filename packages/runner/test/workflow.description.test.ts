import { seededRandom } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import {
  pipelineDefiner,
  type RegisteredTask,
  type TaskRegistry,
  type TaskTypesOf,
} from '../src/workflow/definition/define-pipeline.ts';
import { describePipeline } from '../src/workflow/definition/describe-pipeline.ts';
import { hastyClock } from './virtual-clock.ts';

interface Lake {
  readonly version: number;
}

const ran: string[] = [];

const sync: RegisteredTask<{ readonly lookBackMs: number }, { readonly rows: number }, Lake> = {
  meaning: 'brings in what is new',
  parseInput: (input) => ({ lookBackMs: 0, ...(input as object) }),
  run: async () => {
    ran.push('sync');
    return { rows: 1 };
  },
  describe: async ({ lookBackMs }, { provided }) => `would follow version ${provided.version}, ${lookBackMs} ms back`,
};

const reconcile: RegisteredTask<{ readonly days: readonly string[] }, { readonly differing: string[] }, Lake> = {
  meaning: 'compares days',
  parseInput: (input) => input as { days: string[] },
  run: async () => ({ differing: [] }),
  describe: async ({ days }) => `would compare ${days.join(', ')}`,
};

const registry = { sync, reconcile } satisfies TaskRegistry<Lake>;

const definePipeline = pipelineDefiner<TaskTypesOf<typeof registry>>();

const pipeline = definePipeline({
  name: 'nightly',
  description: 'what happens every night',
  params: {
    lookBackHours: { type: 'number', meaning: 'how far back', default: 6 },
    from: { type: 'day', meaning: 'first day', default: null },
  },
  tasks: {
    sync: { uses: 'sync', with: ({ params }) => ({ lookBackMs: params.lookBackHours * 3_600_000 }), timeoutMs: 9 },
    reconcile: {
      uses: 'reconcile',
      needs: ['sync'],
      // Typed: an output has the type of its task, an optional param may be null.
      with: ({ params, outputs }) => ({ days: [params.from ?? '2026-11-01', outputs.sync.rows.toFixed(0)] }),
    },
    each: {
      uses: 'reconcile',
      forEach: ({ startedAtMs }) => [`day-${startedAtMs}`, 'day-2'],
      with: ({ partition }) => ({ days: [partition] }),
      needs: ['sync'],
    },
    own: {
      needs: ['reconcile', 'each'],
      when: 'always',
      run: async ({ outputs, partitionOutputs }) => [
        outputs.reconcile.differing.length,
        partitionOutputs.each[0]?.output.differing.length,
      ],
    },
  },
});

describe('a description', () => {
  it('lists in order what each task would do, where that is known, and runs nothing', async () => {
    const description = await describePipeline(pipeline, {
      registry,
      provided: { version: 7 },
      params: { lookBackHours: 1 },
      services: { clock: hastyClock(5), random: seededRandom(1), emit: () => {}, signal: new AbortController().signal },
    });
    const retries = { attempts: 1, firstDelayMs: 0, maxDelayMs: 0 };
    const plain = { retries, timeoutMs: null, when: 'success', partitions: null, fansOut: false };
    expect(description).toEqual({
      name: 'nightly',
      description: 'what happens every night',
      schedule: null,
      params: { lookBackHours: 1, from: null },
      tasks: [
        {
          ...plain,
          name: 'sync',
          uses: 'sync',
          needs: [],
          timeoutMs: 9,
          wouldDo: 'would follow version 7, 3600000 ms back',
        },
        { ...plain, name: 'reconcile', uses: 'reconcile', needs: ['sync'], wouldDo: null },
        {
          ...plain,
          name: 'each',
          uses: 'reconcile',
          needs: ['sync'],
          partitions: ['day-5', 'day-2'],
          fansOut: true,
          wouldDo: 'would compare day-5',
        },
        { ...plain, name: 'own', uses: null, needs: ['reconcile', 'each'], when: 'always', wouldDo: null },
      ],
      hooks: [],
    });
    expect(JSON.parse(JSON.stringify(description))).toEqual(description);
    expect(ran).toEqual([]);
  });
});

describe('definePipeline', () => {
  it('freezes what it is given', () => {
    expect(() => Object.assign(pipeline.tasks.sync ?? {}, { uses: 'other' })).toThrow(TypeError);
  });

  it('accepts no task, need or input that the types do not know', () => {
    // @ts-expect-error: no task is registered under that name
    definePipeline({ name: 'a', tasks: { a: { uses: 'synk' } } });
    // @ts-expect-error: there is no task b
    definePipeline({ name: 'a', tasks: { a: { uses: 'sync', needs: ['b'] } } });
    // @ts-expect-error: the key is lookBackMs
    definePipeline({ name: 'a', tasks: { a: { uses: 'sync', with: { lookBack: 1 } } } });
    // @ts-expect-error: an own function takes no with
    definePipeline({ name: 'a', tasks: { a: { run: async () => null, with: {} } } });
    expect(ran).toEqual([]);
  });
});
