import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Tasks that wait until they are stopped, that do nothing, that wait for each other, and a part for each of many. */
const PIPELINES: Readonly<Record<string, string>> = {
  patient: `{ name: 'patient', schedule: { cron: '0 3 * * *', timeZone: 'UTC' }, params: { name: { type: 'text', meaning: 'of this run', default: 'one' } },
    tasks: { wait: { run: async (_, { services }) => services.clock.sleep(600_000, services.signal) } } }`,
  idle: `{ name: 'idle', params: { from: { type: 'day', meaning: 'first' }, to: { type: 'day', meaning: 'last' } },
    tasks: { nothing: { run: async ({ params }) => ({ rows: 1, ...params }) } } }`,
  // Each of the first two ends once the other one has begun; 'after' needs both.
  beside: `{ name: 'beside', tasks: {
    one: { run: async (_, { services }) => met('one', 'two', services) },
    two: { run: async (_, { services }) => met('two', 'one', services) },
    after: { needs: ['one', 'two'], run: async ({ outputs }) => outputs },
    never: { needs: ['one'], when: 'failure', run: async () => ({}) },
  } }`,
  many: `{ name: 'many', tasks: {
    parts: { forEach: () => Array.from({ length: 30 }, (_, n) => 'p' + n), concurrency: 6,
      retries: { attempts: 2, firstDelayMs: 10, maxDelayMs: 10 },
      run: async ({ partition }, { attempt }) => {
        if (partition === 'p7' && attempt === 1) throw new Error('once');
        if (partition === 'p9') throw new Error('always');
        return { rows: 1 };
      } },
    after: { needs: ['parts'], run: async () => ({}) },
    anyway: { needs: ['parts'], when: 'always', run: async ({ partitionOutputs }) => partitionOutputs.parts.length },
  } }`,
};

/** What they import, and a meeting of two tasks in the folder of the lakes. */
const HEAD = `import { access, writeFile } from 'node:fs/promises';
import { definePipeline } from 'edrlake';
async function met(own, other, { clock, signal }) {
  await writeFile('lake/begun-' + own, '');
  for (let n = 0; n < 600; n += 1) {
    if (await access('lake/begun-' + other).then(() => true, () => false)) return { met: other };
    await clock.sleep(50, signal);
  }
  throw new Error(other + ' has not begun');
}
`;

/** Writes them into a folder as their author would. */
export async function writePipelines(folder: string): Promise<void> {
  await mkdir(folder);
  for (const [name, text] of Object.entries(PIPELINES)) {
    const source = `${HEAD}export default definePipeline(${text});\n`;
    await writeFile(join(folder, `${name}.ts`), source);
  }
}
