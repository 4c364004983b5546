import { readLakeStatus } from '@edrlake/runner/history';
import { lakeMetrics, type MetricFamily } from '@edrlake/telemetry';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { userLimitOf } from './connection-settings.ts';
import { withLakeToRead } from './with-lake.ts';

/**
 * Opens the lake and reads its state as metrics.
 * @throws {EdrlakeError} as `openLake`; `LAKE_MISSING` before a first run
 */
export async function readLakeMetrics(values: FlagValues, context: ProcessContext): Promise<MetricFamily[]> {
  const nowMs = context.clock.nowMs();
  return withLakeToRead(values, context, async (lake) =>
    lakeMetrics(await readLakeStatus(lake, { userLimit: userLimitOf(values), nowMs }), nowMs),
  );
}
