import type { FlagName } from './options.ts';

/** How results, errors and logs are written, and the file that has the other settings. */
export const OUTPUT = ['config', 'json', 'log-level'] as const satisfies readonly FlagName[];
/** Of commands that show what they are doing. */
export const PROGRESS = ['no-progress'] as const satisfies readonly FlagName[];
/** How to reach the gateway, and how fast. */
export const GATEWAY = [
  'platform',
  'base-url',
  'api-prefix',
  'oauth-level',
  'page-size',
  'concurrency',
  'rate-limit',
] as const satisfies readonly FlagName[];
/** Names of the fields that hold the time of an event. */
export const TIME_TOKENS = ['event-time-token', 'processed-time-token'] as const satisfies readonly FlagName[];
/** Settings that only some platforms need. */
export const PLATFORM = [
  'max-result-window',
  ...TIME_TOKENS,
  'histogram',
  'walk',
] as const satisfies readonly FlagName[];
/** What runs pipelines, and where that is. */
export const ENGINE = [
  'engine',
  'address',
  'namespace',
  'task-queue',
  'tls',
  'tls-ca',
  'tls-cert',
  'tls-key',
] as const satisfies readonly FlagName[];
/** Which events. */
export const RANGE = ['from', 'to', 'filter', 'state'] as const satisfies readonly FlagName[];
/** Where the lake is. */
export const PLACE = ['lake', 'work', 'cache', 'encryption'] as const satisfies readonly FlagName[];
/** Where the lake is, and what DuckDB may use. */
export const LAKE = [...PLACE, 'dataset', 'memory-limit', 'threads'] as const satisfies readonly FlagName[];
/** The same for statements over its files, and how they read those in an object store. */
export const QUERIED = [...LAKE, 'reads', 'httpfs'] as const satisfies readonly FlagName[];
