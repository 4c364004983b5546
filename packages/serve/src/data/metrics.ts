import { lakeMetrics, metricsText } from '@edrlake/telemetry';
import { type PageContext, pageStatus } from './page-context.ts';

/** What to alert on, as a text for Prometheus. All of it is what `status` says. */
export async function lakeMetricsText(context: PageContext): Promise<string> {
  const nowMs = context.clock.nowMs();
  return metricsText(lakeMetrics(await pageStatus(context, nowMs), nowMs));
}
