import { execFile } from 'node:child_process';
import { rmSync } from 'node:fs';
import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { MS_PER_DAY } from '@edrlake/core';
import type { TimelineProfile } from '@edrlake/simulator';
import { type MeasuredRun, runMeasured } from '../contestants/measured-process.ts';
import type { PageOrder } from '../contestants/page-fetching.ts';
import type { Served } from '../gateway/served.ts';
import { type Gateway, startGateway } from '../gateway/start-gateway.ts';
import type { StageOrder } from '../stages/stage-order.ts';

/** The data of an export, and the folders of the bench. */
export interface StageSetting {
  readonly events: number;
  readonly days: number;
  /** The first day, unless it is the usual one. */
  readonly startMs?: number;
  readonly pageSize: number;
  readonly concurrency: number;
  readonly seed: number;
  /** For recordings, which stay, and for lakes and pages, which are removed. */
  readonly workFolder: string;
  /** The built command: `bin/edrlake.js` of this checkout or of another. */
  readonly command: string;
}

/** The built command of this checkout. */
export const OWN_COMMAND = fileURLToPath(new URL('../../edrlake/bin/edrlake.js', import.meta.resolve('@edrlake/cli')));

/** The first day of the data: a Monday. */
export const START_MS = Date.UTC(2020, 7, 17);

/** How the command is run, where it is not the usual way. */
export interface HowRun {
  /** Another built command than the setting's. */
  readonly command?: string | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Beside the credentials. */
  readonly env?: Readonly<Record<string, string>>;
}

/** A gateway with recorded answers, a folder to work in, and the programs that are measured. */
export interface Stage {
  readonly setting: StageSetting;
  readonly folder: string;
  readonly gateway: Gateway;
  /** Runs the command with the gateway and a lake, and expects success. */
  edrlake(words: readonly string[], lake: string, how?: HowRun): Promise<MeasuredRun>;
  /** Runs a command that needs only the lake. */
  maintain(words: readonly string[], lake: string): Promise<MeasuredRun>;
  /** Runs one of the programs in `contestants/` on the pages of the last export. */
  program(name: 'floor' | 'parse' | 'drain' | 'limit', order: object, signal?: AbortSignal): Promise<MeasuredRun>;
  /** What all programs need to fetch the pages. */
  readonly pageOrder: PageOrder;
  /** Names the pages that the programs fetch. */
  usePages(pages: readonly string[]): Promise<void>;
  /** `--from … --to …` of all the data. */
  readonly range: readonly string[];
  /** The options of the programs of the stage benches. */
  readonly stageOrder: Omit<StageOrder, 'folder'>;
  close(): Promise<void>;
}

/**
 * Opens a stage in a new folder. Closing it removes everything except the recording.
 * @param profile the distribution of the events over the days, unless it is the usual one
 */
export async function openStage(setting: StageSetting, profile: TimelineProfile = {}): Promise<Stage> {
  const { events, days, seed, pageSize, concurrency, workFolder } = setting;
  await mkdir(workFolder, { recursive: true });
  const folder = await mkdtemp(join(workFolder, 'stage-'));
  const onInterrupt = () => {
    rmSync(folder, { recursive: true, force: true });
    process.exit(130);
  };
  process.once('SIGINT', onInterrupt);
  const { startMs = START_MS } = setting;
  const range = { startMs, endMs: startMs + days * MS_PER_DAY };
  const gateway = await startGateway(workFolder, {
    events,
    range,
    seed,
    pageSizeMax: pageSize,
    rateLimit: null,
    profile,
  });
  const pageListFile = join(folder, 'pages.json');
  const order: PageOrder = { url: gateway.url, pageListFile, concurrency };
  const target = ['--base-url', gateway.url, '--rate-limit', 'none', '--page-size', String(pageSize)];
  const credentials = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' };
  return {
    setting,
    folder,
    gateway,
    range: ['--from', dayText(range.startMs), '--to', dayText(range.endMs - MS_PER_DAY)],
    stageOrder: { url: gateway.url, concurrency, pageSize, range, histogram: 'auto' },
    pageOrder: order,
    edrlake: (words, lake, { command = setting.command, signal, env } = {}) =>
      runMeasured(command, [...words, ...target, '--concurrency', String(concurrency), '--lake', lake, '--json'], {
        env: { ...credentials, ...env },
        ...(signal && { signal }),
      }),
    maintain: (words, lake) => runMeasured(setting.command, [...words, '--lake', lake, '--json']),
    program: (name, extra, signal) =>
      runMeasured(programFile(name), [JSON.stringify({ ...order, ...extra })], signal && { signal }),
    usePages: (pages) => writeFile(pageListFile, JSON.stringify(pages)),
    async close() {
      await gateway.close();
      process.off('SIGINT', onInterrupt);
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Attempts until every request has a recorded answer. */
const MAX_ATTEMPTS = 3;

/**
 * Repeats work that sends requests until each of them has a recorded answer, and returns that last run.
 * @param prepare is called before each attempt and is not measured
 * @throws when requests differ each time
 */
export async function onlyRecorded(
  stage: Stage,
  prepare: () => Promise<unknown>,
  act: () => Promise<MeasuredRun>,
): Promise<{ readonly run: MeasuredRun; readonly served: Served }> {
  let forwarded = 0;
  for (let attempt = 1; attempt <= MAX_ATTEMPTS; attempt += 1) {
    await prepare();
    await settleDisk();
    await stage.gateway.take();
    const run = await act();
    const served = await stage.gateway.take();
    forwarded = served.forwarded;
    if (forwarded === 0) return { run, served };
    process.stderr.write(`recorded ${forwarded} answers that were never asked for before; once more\n`);
  }
  throw new Error(
    `${forwarded} requests were new even at attempt ${MAX_ATTEMPTS}: the same work asks differently each time`,
  );
}

/** Syncs the disk, so that one program does not wait for the unwritten data of the one before. */
async function settleDisk(): Promise<void> {
  // Without this command the measurements only vary more.
  await promisify(execFile)('sync').catch(() => undefined);
}

/** A fresh empty folder of that name on the stage. */
export async function freshFolder(stage: Stage, name: string): Promise<string> {
  const path = join(stage.folder, name);
  await rm(path, { recursive: true, force: true });
  await mkdir(path, { recursive: true });
  return path;
}

function programFile(name: string): string {
  return fileURLToPath(new URL(`../contestants/${name}.js`, import.meta.url));
}

function dayText(epochMs: number): string {
  return new Date(epochMs).toISOString().slice(0, 10);
}
