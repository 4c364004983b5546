import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startSimulator } from '@edrlake/simulator';
import { afterAll, expect, test } from 'vitest';
import { inFreshDirectory } from '../../e2e/command.ts';
import { definePart } from '../part.ts';
import { type BrowserKit, goTo, startBrowser } from './browser.ts';
import { homeOfUser, serving } from './user.ts';

const START_MS = Date.UTC(2020, 7, 17);
const DAY_MS = 86_400_000;
const [LOST, FAILED, CHANGED] = ['2020-08-17', '2020-08-18', '2020-08-19'] as const;
const LATE = 25;

definePart<BrowserKit>('page', startBrowser, (kit) => {
  afterAll(() => kit().browser.close());

  test('names three bad days and why, and the commands that it shows make them complete', async () => {
    const range = { startMs: START_MS, endMs: START_MS + 3 * DAY_MS };
    // A small result window, so that a day has several windows and one of them can fail.
    const simulator = await startSimulator({
      events: 1_200,
      range,
      seed: 3,
      resultWindow: 200,
      pageSizeMax: 100,
      nowMs: null,
    });
    try {
      await inFreshDirectory(async (cwd) => {
        const { paste, env } = await homeOfUser(cwd, simulator.url);
        await paste('edrlake backfill --from 2020-08-17 --to 2020-08-17');
        simulator.faults.push({ kind: 'status', status: 403, body: 'html', match: { endpoint: 'events', page: 1 } });
        await paste('edrlake backfill --from 2020-08-18 --to 2020-08-18 --concurrency 1', 3);
        simulator.faults.clear();
        await paste('edrlake backfill --from 2020-08-19 --to 2020-08-19');
        await rm(join(cwd, 'lake', `events/event_date=${LOST}`), { recursive: true });
        simulator.addEvents({ events: LATE, range: { startMs: START_MS + 2 * DAY_MS, endMs: range.endMs } });
        await paste('edrlake reconcile --from 2020-08-19 --to 2020-08-19', 4);
        await serving(cwd, env, async (url) => {
          const page = await kit().browser.newPage({ viewport: { width: 1_280, height: 900 } });
          const said = async (day: string) => {
            await goTo(page, url, `day/${day}`);
            await page.waitForSelector(`h1:text-is("${day}")`);
            return page.textContent('section[aria-label=Why]');
          };
          const lost = await said(LOST);
          expect(lost).toMatch(/^mismatched\s*Data files of this day are no longer as they were committed\./);
          expect(lost).toMatch(/Gone or cut: events\/event_date=2020-08-17\/\S+\.parquet\./);
          const failed = await said(FAILED);
          expect(failed).toMatch(/^partly fetched\s*Some of the day could not be fetched\./);
          expect(failed).toMatch(/The window 2020-08-18T\S+Z to 2020-08-1\dT\S+Z failed in the run \S+: .*403/);
          const changed = await said(CHANGED);
          expect(changed).toMatch(/^late\s*The API has gained events since the day was fetched\./);
          expect(changed).toMatch(/Counted again at \S+Z: it had 426, the lake 401\./);

          await goTo(page, url, '');
          expect(await page.textContent('#todo')).toBe('To look at');
          for (const day of [LOST, FAILED, CHANGED]) {
            await said(day);
            await paste((await page.textContent('section[aria-label=Why] .command code')) ?? 'no command is shown');
            // The page that is open hears of it.
            await page.waitForSelector('section[aria-label=Why] .badge:text-is("complete")');
            expect(await page.textContent('section[aria-label=Why]')).toMatch(
              /Proven windows cover all|the same number/,
            );
          }
          await goTo(page, url, '');
          expect(await page.textContent('#todo')).toMatch(/^Nothing to do/);
          const { stdout } = await paste(
            'edrlake query --format csv "SELECT count(DISTINCT event_id), count(*) FROM events"',
          );
          expect(stdout.trim().split('\n').at(-1)).toBe(`${1_200 + LATE},${1_200 + LATE}`);
        });
      });
    } finally {
      await simulator.close();
    }
  }, 120_000);
});
