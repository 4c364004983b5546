import { resolve } from 'node:path';
import { type Clock, EdrlakeError } from '@edrlake/core';
import { type MetricFamily, metricsText, type RunMetrics } from '@edrlake/telemetry';
import type { FlagValues } from '../args/options.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { readLakeMetrics } from './lake-metrics.ts';

/** The state of the lake is read again after this time: reading it costs more than a scrape may. */
const KEEP_MS = 10_000;

/**
 * Serves `/metrics` while some work goes on, where `--metrics-port` asks for it: what this process counts, and the
 * state of the lake.
 * @throws {EdrlakeError} `USAGE` for a port that is taken, or an address that needs a token; and what the work throws
 */
export async function withServedMetrics<T>(
  values: FlagValues,
  context: ProcessContext,
  counters: RunMetrics,
  work: () => Promise<T>,
): Promise<T> {
  const port = values['metrics-port'];
  if (port === null) return work();
  const { readTokenFile, startMetrics } = await import('@edrlake/serve');
  const tokenFile = values['token-file'];
  const token = tokenFile === null ? null : await readTokenFile(resolve(context.workingDirectory, tokenFile));
  const lake = kept(context.clock, () => lakeNow(values, context));
  const text = async () => metricsText([...counters.families(), ...(await lake())]);
  const server = await startMetrics({ host: values.host, port, token, text });
  try {
    await writeMessage({ ...context, stdout: context.stderr }, `metrics: ${server.url}metrics\n`);
    return await work();
  } finally {
    await server.close();
  }
}

/** Before the first run there is no lake; what this process counts is shown all the same. */
async function lakeNow(values: FlagValues, context: ProcessContext): Promise<readonly MetricFamily[]> {
  return readLakeMetrics(values, context).catch((thrown: unknown) => {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING') return [];
    throw thrown;
  });
}

/** Reads anew after a while, and once for all who ask at the same time. A failure is not kept. */
function kept<T>(clock: Clock, read: () => Promise<T>): () => Promise<T> {
  let last: { readonly atMs: number; readonly value: Promise<T> } | null = null;
  return () => {
    const nowMs = clock.nowMs();
    if (last !== null && nowMs - last.atMs < KEEP_MS && nowMs >= last.atMs) return last.value;
    const value = read();
    last = { atMs: nowMs, value };
    value.catch(() => {
      last = null;
    });
    return value;
  };
}
