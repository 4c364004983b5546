import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FloorWay } from '../contestants/floor.ts';
import type { LimitFigures } from '../contestants/limit.ts';
import type { MeasuredRun, Usage } from '../contestants/measured-process.ts';
import type { Served } from '../gateway/served.ts';
import { freshFolder, onlyRecorded, type Stage } from './stage.ts';
import { type StoredLayout, type StoredRows, storedRows } from './stored-rows.ts';

/** One contestant's run in one round. */
export interface Entry extends Usage {
  readonly contestant: string;
  readonly round: number;
  /** Requests that the gateway received, including logins; `forwarded` of them had no recorded answer. */
  readonly requests: number;
  readonly forwarded: number;
  /** Size of the bodies as sent. */
  readonly receivedBytes: number;
  /** CPU time of the gateway's process during the run. */
  readonly gatewayCpuSeconds: number;
  /** The program's own report. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** Options of the rounds. */
export interface RoundOptions {
  readonly rounds: number;
  /** Whether all pages at once in edrlake's memory compete too, which spills. */
  readonly withSpilling: boolean;
  /** Other built commands to compare with, by name. */
  readonly others: Readonly<Record<string, string>>;
  /** Other programs to compare with, by name. */
  readonly peers?: Readonly<Record<string, Contestant>>;
}

/** The measurements of all rounds, and what the first one wrote. */
export interface Rounds {
  readonly entries: readonly Entry[];
  readonly stored: Readonly<Record<string, StoredRows>>;
  /** Requested pages of events. */
  readonly pages: number;
  /** Measured once. */
  readonly limit: LimitFigures;
}

/** The floor: pages in steps, in the memory that they need. More threads than one take more CPU time. */
export const BATCHES: FloorWay = { pagesAtOnce: 50, memoryLimit: null, threads: 1 };

/** All pages at once in the memory that edrlake gives itself, and on all cores. */
const SPILLING: FloorWay = { pagesAtOnce: null, memoryLimit: '512MB', threads: null };

/** The contestant with which edrlake is compared. */
export const FLOOR = 'duckdb-batch';

/** A program that competes. */
export interface Contestant {
  /**
   * Does the work into a folder, which may hold what an earlier run left.
   * @param signal kills it
   */
  run(stage: Stage, folder: string, signal?: AbortSignal): Promise<MeasuredRun>;
  /** Where its rows are, unless the folders are called as the tables. */
  readonly layout?: StoredLayout;
}

/**
 * Runs all contestants in turn, never two at once; each round begins with another one. The very first is edrlake: the
 * others fetch the pages that it requested.
 */
export async function runRounds(stage: Stage, options: RoundOptions, onEntry: (entry: Entry) => void): Promise<Rounds> {
  const contestants = contestantsOf(options);
  const names = Object.keys(contestants);
  const entries: Entry[] = [];
  const stored: Record<string, StoredRows> = {};
  let pages = 0;
  let limit: LimitFigures | null = null;
  for (let round = 0; round < options.rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const contestant = names[(round + turn) % names.length] ?? '';
      const { run: act, layout } = contestants[contestant] as Contestant;
      const folder = join(stage.folder, contestant);
      const { run, served } = await onlyRecorded(
        stage,
        () => freshFolder(stage, contestant),
        () => act(stage, folder),
      );
      if (round === 0 && contestant === 'edrlake') {
        pages = served.pages.length;
        await stage.usePages(served.pages);
        limit = await measureLimit(stage);
      }
      const entry = entryOf(contestant, round, run, served);
      entries.push(entry);
      onEntry(entry);
      if (round === 0 && isWriter(contestant)) stored[contestant] = await storedRows(folder, layout);
      // The last lake is examined further.
      if (round < options.rounds - 1 || contestant !== 'edrlake') {
        await rm(folder, { recursive: true, force: true });
      }
    }
  }
  if (limit === null) throw new Error('no round was run');
  return { entries, stored, pages, limit };
}

async function measureLimit(stage: Stage): Promise<LimitFigures> {
  const folder = await freshFolder(stage, 'limit');
  const { run } = await onlyRecorded(
    stage,
    async () => {},
    () => stage.program('limit', { folder }),
  );
  await rm(folder, { recursive: true, force: true });
  return JSON.parse(run.stdout) as LimitFigures;
}

/** Contestants that write tables: all but those that only read. */
export function isWriter(contestant: string): boolean {
  return contestant !== 'parse' && contestant !== 'server';
}

/** All contestants by name, edrlake first. */
export function contestantsOf(options: RoundOptions): Readonly<Record<string, Contestant>> {
  const { others, withSpilling, peers = {} } = options;
  const backfill = (command?: string): Contestant => ({
    run: (stage, lake, signal) => stage.edrlake(['backfill', ...stage.range], lake, { command, signal }),
  });
  const floor = (way: FloorWay): Contestant => ({
    run: (stage, folder, signal) => stage.program('floor', { folder, ...way }, signal),
  });
  return {
    edrlake: backfill(),
    ...Object.fromEntries(Object.entries(others).map(([name, command]) => [name, backfill(command)])),
    [FLOOR]: floor(BATCHES),
    ...(withSpilling ? { 'duckdb-spill': floor(SPILLING) } : {}),
    ...peers,
    parse: { run: (stage) => stage.program('parse', {}) },
    server: { run: (stage) => stage.program('drain', {}) },
  };
}

function entryOf(contestant: string, round: number, run: MeasuredRun, served: Served): Entry {
  const { wallSeconds, cpuSeconds, peakBytes, stdout } = run;
  return {
    contestant,
    round,
    wallSeconds,
    cpuSeconds,
    peakBytes,
    requests: served.logins + served.pages.length + served.others,
    forwarded: served.forwarded,
    receivedBytes: served.bodyBytes,
    gatewayCpuSeconds: served.cpuSeconds,
    details: JSON.parse(stdout) as Record<string, unknown>,
  };
}
