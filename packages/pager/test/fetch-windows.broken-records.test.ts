import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FetchedWindow, NO_FILTER } from '@edrlake/core';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { FailedWindow } from '../src/fetch/failed-window.ts';
import { fetchWindows } from '../src/fetch/fetch-windows.ts';
import { planWindows } from '../src/plan/plan-windows.ts';
import { type MemorySource, memorySource } from './memory-source.ts';

const START_MS = Date.UTC(2020, 7, 17);
const RANGE = { startMs: START_MS, endMs: START_MS + 1_000 };
const EVENTS = Array.from({ length: 25 }, (_, i) => ({ atMs: START_MS + i, id: `e${i}` }));

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-broken-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** The text of one page after it was damaged: a raw control character makes one record unreadable. */
type Damage = (text: string, answer: number) => string;
const broken =
  (id: string, letter = 'a') =>
  (text: string) =>
    text.replace(`"${id}"`, `"${id}","n":"${letter}\u0001"`);

async function fetchDamaged(
  damage: Damage,
  options: { readonly maxWindowEvents?: number } = {},
): Promise<{ windows: (FetchedWindow | FailedWindow)[]; lines: string[]; source: MemorySource; answers: number }> {
  const source = memorySource(EVENTS, { pageSize: 10, maxResultWindow: 100, ...options });
  let answers = 0;
  const spoil = async function* (body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
    const pieces: Uint8Array[] = [];
    for await (const piece of body) pieces.push(piece);
    const text = Buffer.concat(pieces).toString();
    yield Buffer.from(text.includes('"e12"') ? damage(text, answers++) : text);
  };
  const { page, walk } = source;
  source.page = (query, pageNumber, read, signal, way) =>
    page(query, pageNumber, (body) => read(spoil(body)), signal, way);
  source.walk = (query, cursor, read, signal, way) => walk(query, cursor, (body) => read(spoil(body)), signal, way);
  const signal = new AbortController().signal;
  const emit = () => undefined;
  const plan = await planWindows(source, { axis: 'event', range: RANGE, scope: NO_FILTER }, { signal, emit });
  const fetching = { spoolDirectory: directory, concurrency: 2, shape: null, signal, emit };
  const windows: (FetchedWindow | FailedWindow)[] = [];
  const lines: string[] = [];
  for await (const window of fetchWindows(source, plan.windows, fetching)) {
    windows.push(window);
    if (window.verdict === 'failed') continue;
    for (const { path } of window.pages) lines.push(...(await readFile(path, 'utf8')).trim().split('\n'));
  }
  return { windows, lines, source, answers };
}

test.each([
  ['by number', {}],
  ['by cursor', { maxWindowEvents: 100 }],
])('a record that is unreadable in one answer only is read from the next, pages %s', async (_way, options) => {
  const { windows, lines, answers } = await fetchDamaged(
    (text, answer) => (answer === 0 ? broken('e12')(text) : text),
    options,
  );
  expect(windows).toMatchObject([{ verdict: 'complete', recordCount: 25 }]);
  expect(lines.map((line) => JSON.parse(line).id).sort()).toEqual(EVENTS.map(({ id }) => id).sort());
  expect(answers).toBe(2);
});

test('a record that is unreadable in the same way twice is kept for a reject, at one more request', async () => {
  const { windows, lines, answers } = await fetchDamaged(broken('e12'));
  expect(windows).toMatchObject([{ verdict: 'complete', recordCount: 25 }]);
  expect(lines.filter((line) => line.includes('control character'))).toHaveLength(1);
  expect(answers).toBe(2);
});

test('a page that is damaged in another place each time fails its window after four answers', async () => {
  const { windows, answers } = await fetchDamaged((text, answer) => broken(`e1${answer}`)(text));
  expect(windows).toMatchObject([{ verdict: 'failed', error: { code: 'BODY_BROKEN' } }]);
  expect(answers).toBe(4);
});

test('the same record damaged in another way each time is no answer either', async () => {
  const { windows } = await fetchDamaged((text, answer) => broken('e12', String(answer))(text));
  expect(windows).toMatchObject([{ verdict: 'failed', error: { code: 'BODY_BROKEN' } }]);
});
