import { type Clock, EdrlakeError, type Emit } from '@edrlake/core';
import type { MeterProvider, PushMetricExporter } from '@opentelemetry/sdk-metrics';
import type { BasicTracerProvider, SpanExporter } from '@opentelemetry/sdk-trace-base';
import type { MetricFamily } from './metric-family.ts';
import { RUN_COUNTERS, runMetrics } from './run-metrics.ts';

/** What a command says of itself, and the environment with the standard variables of OpenTelemetry. */
export interface OtlpOptions {
  readonly clock: Clock;
  /** As typed, such as `backfill`. */
  readonly command: string;
  readonly version: string;
  readonly env: Readonly<Record<string, string | undefined>>;
}

/** Sends traces and metrics of one command to an OTLP receiver. */
export interface Otlp {
  readonly emit: Emit;
  /**
   * Ends the spans and sends what is left.
   * @param lake metrics of the lake as the command left it
   * @param withinMs what is not sent by then is dropped
   * @returns what could not be sent, as one line; null where everything was
   */
  end(exitCode: number, lake: readonly MetricFamily[], withinMs: number): Promise<string | null>;
}

/** The packages that this needs, which are not installed by default. */
const PACKAGES = [
  '@opentelemetry/api@1.9',
  '@opentelemetry/resources@2.12.0',
  '@opentelemetry/sdk-metrics@2.12.0',
  '@opentelemetry/sdk-trace-base@2.12.0',
  '@opentelemetry/exporter-metrics-otlp-proto@0.223.0',
  '@opentelemetry/exporter-trace-otlp-proto@0.223.0',
];

/** How often metrics are sent, unless `OTEL_METRIC_EXPORT_INTERVAL` says otherwise. */
const USUAL_INTERVAL_MS = 60_000;

/**
 * Starts sending. Where to, with which headers and for how long, the exporters read from `OTEL_EXPORTER_OTLP_…`; the
 * default is `http://localhost:4318`.
 * @throws {EdrlakeError} `CONFIG_INVALID` where the packages are not installed, or a variable asks for what is not
 * possible
 */
export async function openOtlp({ clock, command, version, env }: OtlpOptions): Promise<Otlp> {
  const intervalMs = intervalOf(env);
  refuseOtherProtocols(env);
  refuseOtherAddresses(env);
  const sdk = await load();
  const resource = sdk
    .defaultResource()
    .merge(sdk.resourceFromAttributes({ 'service.name': 'edrlake', 'service.version': version }))
    .merge(sdk.detectResources({ detectors: [sdk.envDetector] }));
  const failures = new Set<string>();
  const traces: BasicTracerProvider = new sdk.BasicTracerProvider({
    resource,
    spanProcessors: [new sdk.BatchSpanProcessor(noted(new sdk.OTLPTraceExporter(), 'traces', failures))],
  });
  const reader = new sdk.PeriodicExportingMetricReader({
    exporter: noted(new sdk.OTLPMetricExporter(), 'metrics', failures),
    exportIntervalMillis: intervalMs,
    exportTimeoutMillis: Math.min(intervalMs, 10_000),
  });
  const metrics: MeterProvider = new sdk.MeterProvider({ resource, readers: [reader] });
  const counters = runMetrics();
  const meter = metrics.getMeter('edrlake', version);
  for (const [name, description] of Object.entries(RUN_COUNTERS)) {
    meter.createObservableCounter(name, { description }).addCallback((result) => {
      observe(
        result,
        counters.families().find((family) => family.name === name),
      );
    });
  }
  const spans = sdk.runSpans(traces.getTracer('edrlake', version), clock, command);
  return {
    emit: (event) => {
      counters.emit(event);
      spans.emit(event);
    },
    end: async (exitCode, lake, withinMs) => {
      spans.end(exitCode);
      for (const family of lake) {
        meter.createObservableGauge(family.name, { description: family.help }).addCallback((result) => {
          observe(result, family);
        });
      }
      const ended = Promise.allSettled([traces.shutdown(), metrics.shutdown({ timeoutMillis: withinMs })]);
      const inTime = await Promise.race([ended.then(() => true), clock.sleep(withinMs, NEVER).then(() => false)]);
      if (!inTime) failures.add(`not all was sent within ${withinMs / 1_000} s`);
      return failures.size === 0 ? null : [...failures].join('; ');
    },
  };
}

const NEVER = new AbortController().signal;

/** All of the SDK that is used. */
async function load() {
  try {
    const [spans, resources, metrics, traces, metricExporter, traceExporter] = await Promise.all([
      import('./run-spans.ts'),
      import('@opentelemetry/resources'),
      import('@opentelemetry/sdk-metrics'),
      import('@opentelemetry/sdk-trace-base'),
      import('@opentelemetry/exporter-metrics-otlp-proto'),
      import('@opentelemetry/exporter-trace-otlp-proto'),
    ]);
    return {
      runSpans: spans.runSpans,
      ...{ defaultResource: resources.defaultResource, resourceFromAttributes: resources.resourceFromAttributes },
      ...{ detectResources: resources.detectResources, envDetector: resources.envDetector },
      ...{ MeterProvider: metrics.MeterProvider, BasicTracerProvider: traces.BasicTracerProvider },
      ...{ PeriodicExportingMetricReader: metrics.PeriodicExportingMetricReader },
      BatchSpanProcessor: traces.BatchSpanProcessor,
      OTLPMetricExporter: metricExporter.OTLPMetricExporter,
      OTLPTraceExporter: traceExporter.OTLPTraceExporter,
    };
  } catch (thrown) {
    if ((thrown as { code?: unknown } | null)?.code !== 'ERR_MODULE_NOT_FOUND') throw thrown;
    throw new EdrlakeError('CONFIG_INVALID', 'telemetry: the packages of OpenTelemetry are not installed', {
      cause: thrown,
      hint: `Install them beside edrlake: npm install ${PACKAGES.join(' ')}`,
    });
  }
}

function intervalOf(env: OtlpOptions['env']): number {
  const text = env.OTEL_METRIC_EXPORT_INTERVAL ?? '';
  if (text === '') return USUAL_INTERVAL_MS;
  if (/^[1-9]\d{2,8}$/.test(text)) return Number(text);
  throw new EdrlakeError('CONFIG_INVALID', `OTEL_METRIC_EXPORT_INTERVAL: expected milliseconds, found ${text}`, {
    hint: 'For example OTEL_METRIC_EXPORT_INTERVAL=60000, at least 100.',
  });
}

/** The exporters speak one protocol; with another the receiver would refuse everything, or hang. */
function refuseOtherProtocols(env: OtlpOptions['env']): void {
  const names = ['OTEL_EXPORTER_OTLP_TRACES_PROTOCOL', 'OTEL_EXPORTER_OTLP_METRICS_PROTOCOL'];
  for (const name of ['OTEL_EXPORTER_OTLP_PROTOCOL', ...names]) {
    const protocol = env[name] ?? '';
    if (protocol === '' || protocol === 'http/protobuf') continue;
    throw new EdrlakeError('CONFIG_INVALID', `${name}: expected http/protobuf, found ${protocol}`, {
      hint: `edrlake sends OTLP over HTTP, to port 4318 of most receivers. Unset ${name}.`,
    });
  }
}

/** The exporters would send to their default instead, with the headers that are meant for another receiver. */
function refuseOtherAddresses(env: OtlpOptions['env']): void {
  const names = ['OTEL_EXPORTER_OTLP_TRACES_ENDPOINT', 'OTEL_EXPORTER_OTLP_METRICS_ENDPOINT'];
  for (const name of ['OTEL_EXPORTER_OTLP_ENDPOINT', ...names]) {
    const address = (env[name] ?? '').trim();
    if (address === '' || (/^https?:\/\//i.test(address) && URL.canParse(address))) continue;
    // Its text is not repeated: addresses may hold secrets.
    throw new EdrlakeError('CONFIG_INVALID', `${name}: expected an address such as http://collector:4318`, {
      hint: 'It begins with http:// or https://.',
    });
  }
}

/** The same exporter, which notes why it failed: the SDK keeps that to itself. */
function noted<E extends SpanExporter | PushMetricExporter>(exporter: E, what: string, failures: Set<string>): E {
  const send = exporter.export.bind(exporter) as (items: never, done: (result: ExportResult) => void) => void;
  exporter.export = ((items: never, done: (result: ExportResult) => void) => {
    send(items, (result) => {
      if (result.code !== 0) failures.add(`${what} were not accepted: ${reasonOf(result.error)}`);
      done({ code: 0 });
    });
  }) as E['export'];
  return exporter;
}

interface ExportResult {
  readonly code: number;
  readonly error?: Error;
}

/** Why a request failed, without its address or headers: both may hold secrets. */
function reasonOf(error: Error | undefined): string {
  const { code, errors } = (error ?? {}) as {
    readonly code?: unknown;
    readonly errors?: readonly { code?: unknown }[];
  };
  const found = code ?? errors?.[0]?.code;
  if (typeof found === 'number') return `HTTP ${found}`;
  return typeof found === 'string' ? found : (error?.name ?? 'unknown');
}

function observe(
  result: { observe(value: number, labels?: Record<string, string>): void },
  family: MetricFamily | undefined,
): void {
  for (const { value, labels } of family?.samples ?? []) {
    if (value !== null) result.observe(value, labels === undefined ? {} : { ...labels });
  }
}
