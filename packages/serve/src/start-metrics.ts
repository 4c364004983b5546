import { METRICS_TYPE } from '@edrlake/telemetry';
import { Hono } from 'hono';
import { guards } from './http/guards.ts';
import { type Listening, listen } from './http/listen.ts';

/** How metrics are served. */
export interface MetricsOptions {
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
  /** Needed on an address that other machines reach. */
  readonly token: string | null;
  /** All metrics as a text for Prometheus, made for each request. */
  readonly text: () => Promise<string>;
}

/**
 * Serves `/metrics` alone until it is closed.
 * @throws {EdrlakeError} `USAGE` for an address without a token that other machines reach, or a port that is taken
 */
export async function startMetrics({ host, port, token, text }: MetricsOptions): Promise<Listening> {
  const app = new Hono();
  const admission = { host, token };
  app.use('*', guards(admission));
  app.get('/metrics', async (context) => context.body(await text(), 200, { 'Content-Type': METRICS_TYPE }));
  app.notFound((context) => context.text('Only /metrics is served here.\n', 404));
  app.onError((_, context) => context.text('The metrics could not be read.\n', 500));
  return listen(app, admission, port, '--metrics-port');
}
