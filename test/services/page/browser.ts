import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { join } from 'node:path';
import { installFromNpm, run, TOP } from '../part.ts';

const PACKAGES = { 'playwright-core': '1.65.1', 'axe-core': '4.14.1' };
const PLACES = ['/usr/bin/chromium', '/usr/bin/chromium-browser', '/usr/bin/google-chrome'];

/** As far as it is used here; its types come only with the package. */
export interface BrowserPage {
  goto(url: string): Promise<unknown>;
  reload(): Promise<unknown>;
  waitForSelector(selector: string, options?: { readonly state: 'detached' }): Promise<unknown>;
  evaluate<T>(script: string): Promise<T>;
  fill(selector: string, text: string): Promise<void>;
  focus(selector: string): Promise<void>;
  click(selector: string): Promise<void>;
  textContent(selector: string): Promise<string | null>;
  screenshot(options: { readonly path: string; readonly fullPage: boolean }): Promise<unknown>;
  on(event: 'console' | 'pageerror', listener: (about: { type?(): string; text?(): string }) => void): void;
  readonly keyboard: { press(key: string): Promise<void> };
  close(): Promise<void>;
}

/** The same, of a browser. */
export interface Browser {
  newPage(options: object): Promise<BrowserPage>;
  close(): Promise<void>;
}

/** What the tests of the page have. */
export interface BrowserKit {
  readonly browser: Browser;
  /** The script of axe. */
  readonly axe: string;
  readonly folder: string;
}

/** Installs what is needed, and starts the browser. */
export async function startBrowser(folder: string): Promise<BrowserKit> {
  await installFromNpm(folder, PACKAGES);
  const load = createRequire(join(folder, 'package.json'));
  const { chromium } = load('playwright-core') as { chromium: { launch(options: object): Promise<Browser> } };
  const args = process.getuid?.() === 0 ? ['--no-sandbox'] : [];
  const browser = await chromium.launch({ executablePath: await chromiumPath(), args });
  return { browser, axe: await readFile(load.resolve('axe-core/axe.min.js'), 'utf8'), folder };
}

/** What a page complained about so far: errors of its console, and what it threw. */
export function complaintsOf(page: BrowserPage): readonly string[] {
  const complaints: string[] = [];
  page.on('console', (said) => {
    if (said.type?.() === 'error') complaints.push(said.text?.() ?? '');
  });
  page.on('pageerror', (thrown) => complaints.push(String(thrown)));
  return complaints;
}

/** Opens a view, such as `day/2020-08-17`, and waits until it has its data. */
export async function goTo(page: BrowserPage, url: string, view: string): Promise<void> {
  await page.goto(`${url}#/${view}`);
  await page.waitForSelector('main h1');
  await page.waitForSelector('main .loading', { state: 'detached' });
}

async function chromiumPath(): Promise<string> {
  const found = [process.env.CHROMIUM ?? '', ...PLACES].find((path) => path !== '' && existsSync(path));
  if (found !== undefined) return found;
  if (process.getuid?.() === 0) {
    await run('apt-get', ['install', '-y', '-qq', 'chromium'], { cwd: TOP });
    if (existsSync('/usr/bin/chromium')) return '/usr/bin/chromium';
  }
  throw new Error(
    'Chromium: needed, and not found. Install it (apt-get install chromium), or set CHROMIUM to its path.',
  );
}
