import { join } from 'node:path';
import { type Spread, spreadOf } from '../figures/spread.ts';
import type { Target } from '../figures/targets.ts';
import { mebibytes, numberText, spreadText, tableText } from '../figures/text.ts';
import type { Stage } from './stage.ts';

/** All events of the last lake as the result of a query. */
export interface Results {
  readonly parquetCpuSeconds: Spread;
  readonly arrowCpuSeconds: Spread;
  /** Of each pair. */
  readonly cpuRatio: Spread;
  readonly arrowPeakMiB: number;
}

const PAIRS = 3;

/** Asks for all events as Parquet, which DuckDB writes by itself, and as Arrow. */
export async function measureResults(stage: Stage): Promise<Results> {
  const lake = join(stage.folder, 'edrlake');
  const ask = (format: 'parquet' | 'arrow') =>
    stage.maintain(['query', 'from events', '--format', format, '--output', join(stage.folder, `all.${format}`)], lake);
  const [parquet, arrow, ratios]: [number[], number[], number[]] = [[], [], []];
  let peakBytes = 0;
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const asParquet = await ask('parquet');
    const asArrow = await ask('arrow');
    parquet.push(asParquet.cpuSeconds);
    arrow.push(asArrow.cpuSeconds);
    ratios.push(asArrow.cpuSeconds / asParquet.cpuSeconds);
    peakBytes = Math.max(peakBytes, asArrow.peakBytes);
  }
  return {
    parquetCpuSeconds: spreadOf(parquet),
    arrowCpuSeconds: spreadOf(arrow),
    cpuRatio: spreadOf(ratios),
    arrowPeakMiB: mebibytes(peakBytes),
  };
}

/** A line for each format. */
export function resultsText({ parquetCpuSeconds, arrowCpuSeconds, cpuRatio, arrowPeakMiB }: Results): string {
  return tableText(
    ['all events as a result', 'CPU s', 'ratio', 'peak MiB'],
    [
      ['Parquet', spreadText(parquetCpuSeconds), '', ''],
      ['Arrow', spreadText(arrowCpuSeconds), spreadText(cpuRatio), numberText(arrowPeakMiB)],
    ],
  );
}

/** The target for results. */
export function resultsTargets({ cpuRatio }: Results): Target[] {
  return [{ name: 'CPU time, Arrow / Parquet', measured: cpuRatio.median, bound: 'at most', limit: 2, unit: '×' }];
}
