import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** Tasks that wait until they are stopped, that do nothing, and a part for each of many. */
const PIPELINES: Readonly<Record<string, string>> = {
  patient: `{ name: 'patient', schedule: { cron: '0 3 * * *', timeZone: 'UTC' }, params: { name: { type: 'text', meaning: 'of this run', default: 'one' } },
    tasks: { wait: { run: async (_, { services }) => services.clock.sleep(600_000, services.signal) } } }`,
  idle: `{ name: 'idle', params: { from: { type: 'day', meaning: 'first' }, to: { type: 'day', meaning: 'last' } },
    tasks: { nothing: { run: async ({ params }) => ({ rows: 1, ...params }) } } }`,
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

/** Writes them into a folder as their author would. */
export async function writePipelines(folder: string): Promise<void> {
  await mkdir(folder);
  for (const [name, text] of Object.entries(PIPELINES)) {
    const source = `import { definePipeline } from 'edrlake';\nexport default definePipeline(${text});\n`;
    await writeFile(join(folder, `${name}.ts`), source);
  }
}
