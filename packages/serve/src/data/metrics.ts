import { readLakeStatus } from '@edrlake/runner/history';
import { lakeMetrics, metricsText } from '@edrlake/telemetry';
import type { PageContext } from './page-context.ts';

/** What to alert on, as a text for Prometheus. All of it is what `status` says. */
export async function lakeMetricsText({ lake, clock, userLimit }: PageContext): Promise<string> {
  const nowMs = clock.nowMs();
  return metricsText(lakeMetrics(await readLakeStatus(lake, { userLimit, nowMs }), nowMs));
}
