export { lakeMetrics } from './lake-metrics.ts';
export { METRICS_TYPE, type MetricFamily, type MetricSample, metricsText } from './metric-family.ts';
export { RUN_COUNTERS, type RunCounter, type RunMetrics, runMetrics } from './run-metrics.ts';
