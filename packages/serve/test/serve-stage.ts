import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Clock, NO_FILTER, newRunId, seededRandom, systemClock, type TimeRange } from '@edrlake/core';
import type { Lake } from '@edrlake/lake';
import { recognise } from '@edrlake/lake/indicators';
import { connectSharing, exportRange, openEdrLake } from '@edrlake/runner';
import { type Simulator, type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { afterAll, beforeAll, onTestFinished } from 'vitest';
import { type PageOptions, startPage } from '../src/index.ts';

/** Three days of events. */
const RANGE: TimeRange = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 20) };

/** A lake with exported events, and the gateway that they came from. */
export interface Stage {
  readonly directory: string;
  readonly simulator: Simulator;
  /** Exports a range under an id of its own. */
  exportAgain(range: TimeRange): Promise<void>;
  /** Always hunts a list of one indicator. */
  hunt(name: string, text: string): Promise<void>;
  /** Opens the lake for reading, until the test ends. */
  open(): Promise<Lake>;
  /** Serves the lake until the test ends. */
  serve(options?: Partial<PageOptions>): Promise<{ readonly url: string; close(): Promise<void> }>;
}

/** One lake and one page for all tests of a file, which only read. */
export function sharedPage(events: number): () => { readonly stage: Stage; readonly url: string } {
  const ends: (() => Promise<void>)[] = [];
  let shared: { readonly stage: Stage; readonly url: string } | null = null;
  beforeAll(async () => {
    const stage = await stageLake(events, RANGE, (end) => void ends.unshift(end));
    shared = { stage, url: (await stage.serve({ lakeFlags: ' --lake here' })).url };
  });
  afterAll(async () => {
    for (const end of ends) await end();
  });
  return () => {
    if (shared === null) throw new Error('the page is served before the first test');
    return shared;
  };
}

/** Exports simulated events into a fresh lake. @param atEnd takes what has to be undone, the last first */
export async function stageLake(
  events = 600,
  range: TimeRange = RANGE,
  atEnd: (end: () => Promise<void>) => void = onTestFinished,
  more: Partial<SimulatorOptions> = {},
): Promise<Stage> {
  const parent = await mkdtemp(join(tmpdir(), 'edrlake-serve-'));
  atEnd(() => rm(parent, { recursive: true, force: true }));
  const directory = join(parent, 'lake');
  const simulator = await startSimulator({ ...more, events, range: RANGE });
  atEnd(() => simulator.close());
  const signal = new AbortController().signal;
  const services = { clock: systemClock, random: seededRandom(1), emit: () => {}, signal };
  const exportAgain = async (wanted: TimeRange) => {
    const settings = { baseUrl: simulator.url, username: 'demo', password: 'demo' };
    const sharing = { lakeDirectory: directory, priority: 'normal', command: 'backfill' } as const;
    const connection = await connectSharing(settings, sharing, services);
    const lake = await openEdrLake(directory, { create: true, readOnly: false, memoryLimit: '300MB' }, services);
    try {
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const request = { axis: 'event', ranges: [{ range: wanted }], scope: NO_FILTER } as const;
      const options = { concurrency: 2, batchBytes: 1_000_000, force: true, replace: false };
      await exportRange(ends, request, options, { ...services, newRunId: newRunId(services) });
    } finally {
      await lake.close();
      await connection.close();
    }
  };
  await exportAgain(range);
  return {
    directory,
    simulator,
    exportAgain,
    hunt: async (name, text) => {
      const indicator = recognise(text);
      const lake = await openEdrLake(directory, { create: false, readOnly: false, memoryLimit: '300MB' }, services);
      await lake.keepHunts(() => [{ name, indicators: indicator === null ? [] : [indicator] }], { signal });
      await lake.close();
    },
    open: async () => {
      const lake = await openEdrLake(directory, { create: false, readOnly: true, memoryLimit: '300MB' }, services);
      atEnd(() => lake.close());
      return lake;
    },
    serve: async (options = {}) => {
      const lake = await openEdrLake(directory, { create: false, readOnly: true, memoryLimit: '300MB' }, services);
      const page = await startPage({ ...pageOptions(systemClock), lake, ...options }).catch(async (thrown) => {
        await lake.close();
        throw thrown;
      });
      const close = async () => {
        await page.close();
        await lake.close();
      };
      atEnd(close);
      return { url: page.url, close };
    },
  };
}

function pageOptions(clock: Clock): Omit<PageOptions, 'lake'> {
  return {
    clock,
    lakeFlags: '',
    asPasted: (command) => command,
    userLimit: null,
    questionsFolder: null,
    ...{ host: '127.0.0.1', port: 0, token: null },
  };
}

/** Asks for JSON. */
export async function json<T>(url: string, init?: RequestInit): Promise<T> {
  const response = await fetch(url, init);
  if (!response.ok) throw new Error(`${url}: ${response.status} ${await response.text()}`);
  return (await response.json()) as T;
}

/** The answer to a question, or its error. */
export function askPage(url: string, sql: string, init: RequestInit = {}): Promise<Response> {
  const headers = { 'content-type': 'application/json' };
  return fetch(`${url}api/ask`, { method: 'POST', headers, body: JSON.stringify({ sql }), ...init });
}
