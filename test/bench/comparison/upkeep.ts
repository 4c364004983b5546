import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { MS_PER_DAY } from '@edrlake/core';
import { type Spread, spreadOf } from '../figures/spread.ts';
import type { Target } from '../figures/targets.ts';
import { mebibytes, numberText, spreadText, tableText } from '../figures/text.ts';
import { openStage, START_MS, type Stage, type StageSetting } from './stage.ts';
import { storedRows } from './stored-rows.ts';

/** A compaction of the last lake. */
export interface Compacted {
  readonly cpuSeconds: number;
  readonly peakMiB: number;
  /** Of all tables. */
  readonly rowsPerCpuSecond: number;
  readonly bytesBefore: number;
  readonly bytesAfter: number;
}

/** Small exports into a lake of many days. */
export interface SmallNights {
  /** CPU time of making the lake, for each of its data files; null where it was there before. */
  readonly cpuMsPerFile: number | null;
  readonly nothingNewCpuSeconds: Spread;
  readonly nightCpuSeconds: number;
}

/** Few events: what is measured grows with days and files. */
const [EVENTS, DAYS] = [5_000, 1_000];
const NIGHT = { events: 2_000, days: 2 };
const TIMES = 3;

/** Compacts the lake of the last round. */
export async function compactLast(stage: Stage): Promise<Compacted> {
  const lake = join(stage.folder, 'edrlake');
  const { rows } = await storedRows(lake);
  const { cpuSeconds, peakBytes, stdout } = await stage.maintain(['compact'], lake);
  const { bytesBefore, bytesAfter } = JSON.parse(stdout) as { bytesBefore: number; bytesAfter: number };
  const allRows = Object.values(rows).reduce((sum, count) => sum + count, 0);
  const rowsPerCpuSecond = allRows / cpuSeconds;
  return { cpuSeconds, peakMiB: mebibytes(peakBytes), rowsPerCpuSecond, bytesBefore, bytesAfter };
}

/**
 * Syncs that find nothing, and a night of new events, on a lake of 1,000 days.
 * @param lake is made where it is missing; it has two days more afterwards
 */
export async function measureSmallNights(setting: StageSetting, lake: string): Promise<SmallNights> {
  const making = await openStage({ ...setting, events: EVENTS, days: DAYS });
  let cpuMsPerFile: number | null = null;
  const nothingNew: number[] = [];
  try {
    if (!existsSync(lake)) {
      const { cpuSeconds } = await making.edrlake(['backfill', ...making.range], lake);
      cpuMsPerFile = (cpuSeconds * 1000) / (await dataFiles(lake));
    }
    const words = ['sync', '--since', '2026-01-01'];
    await making.gateway.take(false);
    await making.edrlake(words, lake);
    for (let time = 0; time < TIMES; time += 1) nothingNew.push((await making.edrlake(words, lake)).cpuSeconds);
  } finally {
    await making.close();
  }
  // Another seed, because the same one gives events the same ids again.
  const seed = setting.seed + 1;
  const night = await openStage({ ...setting, ...NIGHT, seed, startMs: START_MS + DAYS * MS_PER_DAY });
  try {
    const { cpuSeconds } = await night.edrlake(['backfill', ...night.range], lake);
    return { cpuMsPerFile, nothingNewCpuSeconds: spreadOf(nothingNew), nightCpuSeconds: cpuSeconds };
  } finally {
    await night.close();
  }
}

async function dataFiles(lake: string): Promise<number> {
  const names = await readdir(lake, { recursive: true });
  return names.filter((name) => /=[^/]+\/[^/]+\.parquet$/.test(name)).length;
}

/** A line for each. */
export function compactedText({ cpuSeconds, peakMiB, rowsPerCpuSecond, bytesBefore, bytesAfter }: Compacted): string {
  return tableText(
    ['compaction', 'CPU s', 'rows/CPU s', 'peak MiB', 'MiB before', 'after'],
    [['', ...[cpuSeconds, rowsPerCpuSecond, peakMiB, mebibytes(bytesBefore), mebibytes(bytesAfter)].map(numberText)]],
  );
}

/** A line for each. */
export function smallNightsText({ cpuMsPerFile, nothingNewCpuSeconds, nightCpuSeconds }: SmallNights): string {
  return tableText(
    ['lake of 1,000 days', 'CPU'],
    [
      ['making it, a data file', cpuMsPerFile === null ? 'was there' : `${numberText(cpuMsPerFile)} ms`],
      ['sync that finds nothing', `${spreadText(nothingNewCpuSeconds)} s`],
      [`${numberText(NIGHT.events)} events of ${NIGHT.days} new days`, `${numberText(nightCpuSeconds)} s`],
    ],
  );
}

/** Twice what a compaction did in November 2026, without content digests, on the machine that README names. */
const WANTED_ROWS_PER_CPU_SECOND = 226_000;

/** The targets for compaction. */
export function compactedTargets({ peakMiB, rowsPerCpuSecond, bytesBefore, bytesAfter }: Compacted): Target[] {
  return [
    {
      name: 'rows a CPU second, compaction',
      measured: rowsPerCpuSecond,
      ...{ bound: 'at least', limit: WANTED_ROWS_PER_CPU_SECOND, unit: '' },
      note: 'Rows and CPU seconds are wanted of the machine in README, when it is quiet.',
      reason: 'more than a third is reading the merged file again, for its digest and to compare it with its sources.',
    },
    { name: 'peak memory, compaction', measured: peakMiB, bound: 'at most', limit: 512, unit: 'MiB' },
    { name: 'size, compacted / before', measured: bytesAfter / bytesBefore, bound: 'at most', limit: 1, unit: '×' },
  ];
}

/** The targets for small nights. */
export function smallNightsTargets({ cpuMsPerFile, nothingNewCpuSeconds, nightCpuSeconds }: SmallNights): Target[] {
  const file: Target = {
    ...{ name: 'CPU a file, making 1,000 days', measured: cpuMsPerFile ?? NaN, bound: 'at most', limit: 3, unit: 'ms' },
    reason: 'a file of a few rows is planned and written with its 70 columns, synced, and read once for its checksum.',
  };
  const nothing: Target = {
    name: 'CPU, sync finds nothing, 1,000 days',
    ...{ measured: nothingNewCpuSeconds.median, bound: 'at most', limit: 0.4, unit: 's' },
    reason:
      "V8's compiling is more than a third; then loading code and DuckDB, asking for the sizes of 4,600 files, and " +
      'writing lake.duckdb, about a fifth.',
  };
  const night: Target = {
    name: `CPU, ${numberText(NIGHT.events)} events into 1,000 days`,
    ...{ measured: nightCpuSeconds, bound: 'at most', limit: 0.8, unit: 's' },
    reason: 'it takes all that a sync that finds nothing takes, and plans about 50 statements for its batch.',
  };
  return [...(cpuMsPerFile === null ? [] : [file]), nothing, night];
}
