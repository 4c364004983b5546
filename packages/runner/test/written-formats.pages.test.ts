import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { MS_PER_DAY, timeRange } from '@edrlake/core';
import { expect, test } from 'vitest';
import { onStage } from './flow-stage.ts';

// docs/lake-format.md and docs/journal-format.md are for people who write readers of their own: what an export writes must be
// in them, field by field.

/** Reports and plans are described as a whole; the keys of these objects are days or tables. */
const NOT_FIELDS = new Set(['report', 'perDay', 'rejectedPerDay', 'schema']);

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
