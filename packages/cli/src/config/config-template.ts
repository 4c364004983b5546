import { configKey, type FlagName, type FlagValues, flagNamed } from '../args/options.ts';

/** What a configuration usually decides. The rest has a default that is commented out, or belongs on a command line. */
const SHOWN: readonly FlagName[] = [
  'platform',
  'base-url',
  'api-prefix',
  'lake',
  'dataset',
  'filter',
  'page-size',
  'concurrency',
  'rate-limit',
  'event-time-token',
  'processed-time-token',
  'max-result-window',
  'histogram',
  'walk',
  'max-reject-share',
  'memory-limit',
  'threads',
  'log-level',
];

/** Shown for flags without a default, so that the commented line says what a value looks like. */
const SAMPLES: Partial<Record<FlagName, string | number | boolean>> = {
  platform: 'US1',
  'base-url': 'https://gateway.example.com',
  filter: 'type: FILE',
  'rate-limit': '300/3600',
  threads: 2,
};

/** The text of a new `edrlake.config.ts`: every setting with what it means, those that were chosen switched on. */
export function configTemplate(values: FlagValues): string {
  const lines = [
    '// Settings of edrlake. A flag or an EDRLAKE_… variable of the same name wins over a value in this file.',
    '// Secrets never belong here, and accounts only in subscriptions: set EDRLAKE_USERNAME and EDRLAKE_PASSWORD_FILE,',
    '// or for an OAuth client EDRLAKE_CLIENT_ID and EDRLAKE_CLIENT_SECRET_FILE.',
    'export default {',
  ];
  for (const name of SHOWN) {
    const { describe, byDefault } = flagNamed(name);
    const value = values[name];
    const chosen = value !== null && value !== byDefault;
    const shown = chosen ? value : (SAMPLES[name] ?? byDefault);
    lines.push(`  // ${describe}`, `  ${chosen ? '' : '// '}${configKey(name)}: ${literal(shown)},`);
  }
  lines.push(
    '  // Many subscriptions, each with a lake of its own; --subscription NAME, all or eu-* chooses:',
    "  // subscriptions: [{ name: 'acme', platform: 'US1', username: 'exporter', passwordFile: '/run/secrets/acme' }],",
    '};',
    '',
  );
  return lines.join('\n');
}

function literal(value: unknown): string {
  return typeof value === 'string'
    ? `'${value.replaceAll('\\', '\\\\').replaceAll("'", "\\'").replaceAll('\n', '\\n')}'`
    : JSON.stringify(value);
}
