import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { startSimulator } from '@edrlake/simulator';
import { afterAll, expect, test } from 'vitest';
import { inFreshDirectory } from '../../e2e/command.ts';
import { definePart } from '../part.ts';
import { type BrowserKit, type BrowserPage, complaintsOf, goTo, startBrowser } from './browser.ts';
import { homeOfUser, serving } from './user.ts';

const DAY_MS = 86_400_000;
const DAYS = 10_000;
const RANGE = { startMs: Date.UTC(1999, 0, 1), endMs: Date.UTC(1999, 0, 1) + DAYS * DAY_MS };
const LAST_DAY = new Date(RANGE.endMs - DAY_MS).toISOString().slice(0, 10);
const EVENTS = 400;

definePart<BrowserKit>('page', startBrowser, (kit) => {
  afterAll(() => kit().browser.close());

  test('10,000 days are one picture at each width in both themes, painted at once', async () => {
    const simulator = await startSimulator({ events: EVENTS, range: RANGE, seed: 7 });
    try {
      await inFreshDirectory(async (cwd) => {
        const { paste, env } = await homeOfUser(cwd, simulator.url);
        await paste(`edrlake backfill --from 1999-01-01 --to ${LAST_DAY}`);
        const { stdout } = await paste('edrlake query --format csv "SELECT max(event_date) FROM events"');
        const lost = stdout.trim().split('\n').at(-1) ?? '';
        await rm(join(cwd, 'lake', `events/event_date=${lost}`), { recursive: true });
        await serving(cwd, env, async (url) => {
          await lookAtPictures(kit(), url, lost);
          const paints = [];
          for (let attempt = 0; attempt < 5; attempt += 1) paints.push(await paintMs(kit(), url));
          process.stdout.write(`first paint with 10,000 days in ms: ${paints.map(Math.round).join(', ')}\n`);
          // 500 on a machine with nothing else to do; the quickest of five, because others wait for other programs.
          expect(Math.min(...paints)).toBeLessThan(1_000);
        });
      });
    } finally {
      await simulator.close();
    }
  }, 240_000);
});

async function lookAtPictures(kit: BrowserKit, url: string, lost: string): Promise<void> {
  const pictures = join(kit.folder, 'pictures');
  await mkdir(pictures, { recursive: true });
  for (const colorScheme of ['light', 'dark']) {
    for (const width of [360, 1_280, 2_560]) {
      const { page, complaints } = await open(kit, width, colorScheme);
      await goTo(page, url, '');
      // Every year has its rows, and the one bad day is named with the way to it.
      expect(await page.evaluate(`document.querySelectorAll('.year').length`)).toBe(28);
      expect(await page.textContent('main')).toContain(lost);
      expect(await page.evaluate('document.documentElement.scrollWidth > innerWidth')).toBe(false);
      await page.screenshot({ path: join(pictures, `10000-days-${width}-${colorScheme}.png`), fullPage: true });
      expect(complaints).toEqual([]);
      await page.close();
    }
  }
}

async function paintMs(kit: BrowserKit, url: string): Promise<number> {
  const { page } = await open(kit, 1_280, 'light');
  await goTo(page, url, '');
  const ms = await page.evaluate<number>(`performance.getEntriesByName('first-contentful-paint')[0].startTime`);
  await page.close();
  return ms;
}

async function open(kit: BrowserKit, width: number, colorScheme: string) {
  const page: BrowserPage = await kit.browser.newPage({ viewport: { width, height: 900 }, colorScheme });
  return { page, complaints: complaintsOf(page) };
}
