import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { FloorWay } from '../contestants/floor-script.ts';
import type { MeasuredRun, Usage } from '../contestants/measured-process.ts';
import type { Served } from '../gateway/served.ts';
import { freshFolder, onlyRecorded, type Stage } from './stage.ts';
import { type StoredRows, storedRows } from './stored-rows.ts';

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
  /** DuckDB's memory in the floor: the default of edrlake. */
  readonly memoryLimit: string;
  readonly floorWay: FloorWay;
  /** Other built commands to compare with, by name. */
  readonly others: Readonly<Record<string, string>>;
}

/** The measurements of all rounds, and what the first one wrote. */
export interface Rounds {
  readonly entries: readonly Entry[];
  readonly stored: Readonly<Record<string, StoredRows>>;
  /** Requested pages of events. */
  readonly pages: number;
}

type Contestant = (stage: Stage) => Promise<{ readonly run: MeasuredRun; readonly served: Served }>;

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
  for (let round = 0; round < options.rounds; round += 1) {
    for (let turn = 0; turn < names.length; turn += 1) {
      const contestant = names[(round + turn) % names.length] ?? '';
      const { run, served } = await (contestants[contestant] as Contestant)(stage);
      if (round === 0 && contestant === 'edrlake') {
        pages = served.pages.length;
        await stage.usePages(served.pages);
      }
      const entry = entryOf(contestant, round, run, served);
      entries.push(entry);
      onEntry(entry);
      if (round === 0 && isWriter(contestant)) stored[contestant] = await storedRows(join(stage.folder, contestant));
      // The last lake is examined further.
      if (round < options.rounds - 1 || contestant !== 'edrlake') {
        await rm(join(stage.folder, contestant), { recursive: true, force: true });
      }
    }
  }
  return { entries, stored, pages };
}

/** Contestants that write tables: all but those that only read. */
function isWriter(contestant: string): boolean {
  return contestant !== 'parse' && contestant !== 'server';
}

function contestantsOf({ others, memoryLimit, floorWay }: RoundOptions): Readonly<Record<string, Contestant>> {
  const backfill =
    (name: string, command?: string): Contestant =>
    async (stage) => {
      const lake = join(stage.folder, name);
      return onlyRecorded(
        stage,
        () => rm(lake, { recursive: true, force: true }),
        () => stage.edrlake(['backfill', ...stage.range], lake, command),
      );
    };
  const program =
    (name: 'floor' | 'parse' | 'drain', order: (folder: string) => object): Contestant =>
    async (stage) => {
      let folder = '';
      return onlyRecorded(
        stage,
        async () => {
          folder = await freshFolder(stage, name);
        },
        () => stage.program(name, order(folder)),
      );
    };
  return {
    edrlake: backfill('edrlake'),
    ...Object.fromEntries(Object.entries(others).map(([name, command]) => [name, backfill(name, command)])),
    floor: program('floor', (folder) => ({ folder, memoryLimit, way: floorWay })),
    parse: program('parse', () => ({})),
    server: program('drain', () => ({})),
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
