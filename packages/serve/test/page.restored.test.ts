import { cp, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY } from '@edrlake/core';
import { expect, it } from 'vitest';
import type { Answer, CoverageDocument, DayDocument } from '../src/documents/documents.ts';
import { askPage, json, stageLake } from './serve-stage.ts';

const day = (n: number) => ({ startMs: Date.UTC(2020, 7, 17 + n), endMs: Date.UTC(2020, 7, 17 + n) + MS_PER_DAY });

it('a page that is served shows what the lake is after it was restored, also where it has as many versions', async () => {
  const stage = await stageLake(300, day(0));
  const { directory } = stage;
  const copy = `${directory}-before`;
  await cp(directory, copy, { recursive: true });
  await stage.exportAgain(day(1));
  const { url } = await stage.serve();
  const shown = async () => {
    const { version, spans } = await json<CoverageDocument>(`${url}api/coverage`);
    const metrics = await (await fetch(`${url}metrics`)).text();
    const rows = Number(/^edrlake_lake_rows\{table="events"\} (\d+)$/m.exec(metrics)?.[1]);
    const sql = 'SELECT DISTINCT event_date::VARCHAR FROM events_proven ORDER BY ALL';
    const answer = (await (await askPage(url, sql)).json()) as Answer;
    return { version, spans, rows, proven: answer.rows.flat() };
  };
  const both = await shown();
  expect(both).toMatchObject({ version: 2, spans: [['2020-08-17', 2, 'complete']] });

  for (const name of await readdir(directory)) await rm(join(directory, name), { recursive: true });
  await cp(copy, directory, { recursive: true });
  const less = await shown();
  expect(less).toMatchObject({ version: 1, spans: [['2020-08-17', 1, 'complete']], proven: ['2020-08-17'] });
  expect(less.rows).toBeLessThan(both.rows);
  expect(await json<DayDocument>(`${url}api/days/2020-08-18`)).toMatchObject({ state: 'unplanned', files: [] });

  await stage.exportAgain(day(2));
  expect(await shown()).toMatchObject({
    ...{ version: 2, proven: ['2020-08-17', '2020-08-19'] },
    spans: [
      ['2020-08-17', 1, 'complete'],
      ['2020-08-18', 1, 'unplanned'],
      ['2020-08-19', 1, 'complete'],
    ],
  });
});
