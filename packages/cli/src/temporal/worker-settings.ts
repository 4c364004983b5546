import { GATEWAY, PLATFORM } from '../args/option-groups.ts';
import type { FlagName } from '../args/options.ts';

/** Settings of the process that does the work: on a command that only starts it, they would do nothing. */
export const ENGINE_SETTINGS_OF_WORKERS: readonly FlagName[] = [
  ...GATEWAY,
  ...PLATFORM,
  ...(['work', 'cache', 'encryption', 'reads', 'httpfs', 'dataset', 'memory-limit', 'threads'] as const),
  ...(['max-reject-share', 'publish', 'writer', 'telemetry'] as const),
];
