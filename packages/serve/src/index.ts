export { isLoopback } from './guard/allowed-host.ts';
export { readTokenFile } from './guard/token.ts';
export type { Listening } from './http/listen.ts';
export { type MetricsOptions, startMetrics } from './start-metrics.ts';
export { type PageOptions, startPage } from './start-page.ts';
