import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MS_PER_DAY, timeRange } from '@edrlake/core';
import { expect, test } from 'vitest';
import { onStage } from './flow-stage.ts';
import { definePipeline, newStage } from './workflow-stage.ts';

// docs/lake-format.md and docs/journal-format.md are for authors of other readers: they must name every field that an
// export writes.

/** Reports and plans are described as a whole; the keys of the other objects are days, tables or the user's own. */
const NOT_FIELDS = new Set(['report', 'perDay', 'rejectedPerDay', 'schema', 'params', 'output']);

function fieldsOf(value: unknown): string[] {
  if (Array.isArray(value)) return value.flatMap(fieldsOf);
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([name, inner]) => [name, ...(NOT_FIELDS.has(name) ? [] : fieldsOf(inner))]);
}

async function wordsOf(pages: readonly string[]): Promise<ReadonlySet<string>> {
  const paths = pages.map((page) => fileURLToPath(new URL(`../../../docs/${page}`, import.meta.url)));
  const texts = await Promise.all(paths.map((path) => readFile(path, 'utf8')));
  return new Set(texts.flatMap((text) => text.match(/[A-Za-z][\w-]*/g) ?? []));
}

test('the pages name every field of the log entries, leases and journals of an export', async () => {
  const startMs = Date.UTC(2020, 7, 17);
  const range = timeRange(startMs, startMs + MS_PER_DAY);
  await onStage({ events: 300, range, seed: 4 }, async ({ lake, backfill }) => {
    await backfill(range);
    const textsOf = async (folder: string) => {
      const names = (await readdir(join(lake.directory, folder))).filter((name) => /\.jsonl?$/.test(name));
      return Promise.all(names.map((name) => readFile(join(lake.directory, folder, name), 'utf8')));
    };
    const [entries, leases, journals] = [await textsOf('_log'), await textsOf('_leases'), await textsOf('_runs')];
    expect([entries.length, leases.length, journals.length]).toEqual([1, 1, 1]);
    const inLakePage = await wordsOf(['lake-format.md']);
    const documents = [...entries, ...leases].map((text): unknown => JSON.parse(text));
    expect(fieldsOf(documents).filter((name) => !inLakePage.has(name))).toEqual([]);
    const lines = journals.flatMap((text) => text.split('\n')).filter((line) => line !== '');
    const parsed = lines.map((line): { readonly type: string } => JSON.parse(line));
    const types = [...new Set(parsed.map(({ type }) => type))];
    expect(types).toEqual(['start', 'plan', 'page', 'commit', 'finish']);
    // The fields of windows and owners are in the page of the lake.
    const inBoth = await wordsOf(['lake-format.md', 'journal-format.md']);
    expect([...types, ...fieldsOf(parsed)].filter((name) => !inBoth.has(name))).toEqual([]);
  });
});

test('the page of journals names every line and field of a pipeline', async () => {
  const stage = await newStage();
  let attempts = 0;
  const pipeline = definePipeline({
    name: 'pages',
    tasks: {
      list: { run: async () => ({ days: ['2026-11-01', '2026-11-02'] }) },
      each: {
        needs: ['list'],
        forEach: ({ outputs }) => (outputs.list as { days: string[] }).days,
        retries: { attempts: 2, firstDelayMs: 0, maxDelayMs: 0 },
        run: async () => {
          attempts += 1;
          if (attempts <= 2) throw new RangeError('not now');
          return null;
        },
      },
    },
    hooks: { onFailure: { url: 'http://localhost/failure' } },
  });
  try {
    await stage.run(pipeline, { concurrency: 1, post: async () => 200 });
    await stage.resume(pipeline, { concurrency: 1, post: async () => 200 });
    const lines = (await stage.journalText()).split('\n').filter((line) => line !== '');
    const parsed = lines.map((line): { readonly type: string } => JSON.parse(line));
    const types = ['pipeline-start', 'fan-out', 'task-start', 'task-retry', 'task-end', 'hook', 'pipeline-end'];
    const written = new Set(parsed.map(({ type }) => type));
    expect([...types, 'pipeline-resume'].filter((type) => !written.has(type))).toEqual([]);
    const named = await wordsOf(['lake-format.md', 'journal-format.md']);
    expect([...written, ...fieldsOf(parsed)].filter((name) => !named.has(name))).toEqual([]);
  } finally {
    await stage.remove();
  }
});
