import { EdrlakeError, type Emit, parseRange, type QueryScope, type TimeRange } from '@edrlake/core';
import { DEFAULT_DATASET, datasetNamed } from '@edrlake/datasets';
import type { Account, Connection, ConnectionSettings, Services } from '@edrlake/runner';
import { wordsText } from '../args/flags/flag-kinds.ts';
import { type FlagValues, flagNamed } from '../args/options.ts';
import { readCredentials } from '../config/credentials.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { readProxy } from '../process/proxy-environment.ts';
import { requireReachable } from '../process/reachability.ts';
import { lakeDirectory, objectLakeOf } from './lake-access.ts';

/** Means "no limit": the client's pacing needs a number. */
const UNLIMITED = { requests: 1_000_000_000, windowSeconds: 1 };

/**
 * How to reach the gateway, as the settings and the environment say.
 * @throws {EdrlakeError} `CONFIG_INVALID` for a proxy that cannot be one
 */
export function connectionSettings(
  values: FlagValues,
  credentials: Account,
  env: ProcessContext['env'],
): ConnectionSettings {
  return {
    ...gatewayOf(values),
    proxy: readProxy(env),
    apiPrefix: values['api-prefix'],
    ...credentials,
    ...('clientId' in credentials && { oauthLevel: values['oauth-level'] }),
    rateLimit: userLimitOf(values),
    concurrency: values.concurrency,
    pageSize: Math.min(values['page-size'], values['max-result-window']),
    maxResultWindow: values['max-result-window'],
    dataset: datasetNamed(values.dataset),
    timeTokens: timeTokensOf(values),
    histogram: values.histogram,
    walk: values.walk === 'search-after' ? 'searchAfter' : 'pages',
  };
}

/** The tokens that were chosen; each dataset has documented ones. */
function timeTokensOf(values: FlagValues): NonNullable<ConnectionSettings['timeTokens']> {
  const [event, processed] = [values['event-time-token'], values['processed-time-token']];
  return {
    ...(event !== flagNamed('event-time-token').byDefault && { event }),
    ...(processed !== flagNamed('processed-time-token').byDefault && { processed }),
  };
}

/**
 * Refuses another dataset for a command that asks the EDR API itself, and not a source.
 * @throws {EdrlakeError} `USAGE`
 */
export function refuseOtherDataset({ dataset }: FlagValues, command: string): void {
  if (dataset === DEFAULT_DATASET.name) return;
  throw new EdrlakeError('USAGE', `edrlake ${command} asks the EDR API, and the settings choose ${dataset}`, {
    hint: `Take ${dataset} out of the settings for this command.`,
  });
}

/** The upper bound of requests that the user sets; null for none of his own. */
export function userLimitOf(values: FlagValues): { readonly requests: number; readonly windowSeconds: number } | null {
  const rateLimit = values['rate-limit'];
  return rateLimit === 'none' ? UNLIMITED : rateLimit;
}

function gatewayOf(values: FlagValues): { readonly platform: string } | { readonly baseUrl: string } {
  const platform = values.platform;
  const baseUrl = values['base-url'];
  if (platform !== null) return { platform };
  if (baseUrl !== null) return { baseUrl };
  throw new EdrlakeError('USAGE', 'expected a gateway, found neither --platform nor --base-url', {
    hint: gatewayHint(values),
  });
}

/** A file that is there already is not written by `edrlake init`. */
function gatewayHint({ config, subscription }: FlagValues): string {
  const give = 'Give --platform (US1, US2, EU1, …) or --base-url, or write one into';
  if (config === null) return `${give} edrlake.config.ts with: edrlake init --platform US1`;
  const of = subscription.length === 0 ? '' : ', for all subscriptions or in the entry of one';
  return `${give} ${config}, such as platform: 'US1'${of}.`;
}

/**
 * To be called before the credentials are read: a user who has set neither is asked for the gateway first.
 * @throws {EdrlakeError} `USAGE` when neither a platform nor a URL is set
 */
export function requireGateway(values: FlagValues): void {
  gatewayOf(values);
}

/** What flows need from the process. */
export function servicesOf(context: ProcessContext, emit: Emit): Services {
  const { clock, random, signal } = context;
  return { clock, random, emit, signal };
}

/**
 * Connects, does the work and closes the connection, also after a failure. Requests count together with those of all
 * that work on the lake, where there is one. Nothing is requested by connecting.
 * @throws {EdrlakeError} `USAGE`, `CREDENTIALS_MISSING`, `URL_INVALID`, `CONFIG_INVALID` before any request
 */
export async function withConnection<T>(
  values: FlagValues,
  context: ProcessContext,
  { command, emit }: { readonly command: string; readonly emit: Emit },
  work: (connection: Connection, services: Services) => Promise<T>,
): Promise<T> {
  requireGateway(values);
  const credentials = await readCredentials(context.env, context.workingDirectory, context.account);
  const { connectBeside } = await import('@edrlake/runner');
  const services = servicesOf(context, emit);
  const place = { lakeDirectory: lakeDirectory(values, context), ...objectLakeOf(values, context) };
  const sharing = { ...place, priority: 'normal', command } as const;
  const connection = await connectBeside(connectionSettings(values, credentials, context.env), sharing, services);
  try {
    await requireReachable({ baseUrl: connection.baseUrl, proxy: connection.client.proxy }, context, emit);
    return await work(connection, services);
  } finally {
    await connection.close();
  }
}

/**
 * @throws {EdrlakeError} `USAGE` when an end is missing, `RANGE_INVALID` when one cannot be read or they are in the
 * wrong order
 */
export function requiredRange(values: FlagValues, command: string): TimeRange {
  const range = optionalRange(values);
  if (range !== null) return range;
  throw new EdrlakeError('USAGE', `edrlake ${command}: expected --from and --to, found neither`, {
    hint: `For example: edrlake ${command} --from 2020-08-17 --to 2020-08-19`,
  });
}

/** The range, or null when neither end is given. */
export function optionalRange(values: FlagValues): TimeRange | null {
  const { from, to } = values;
  if (from !== null && to !== null) return parseRange(from, to);
  if (from === null && to === null) return null;
  const missing = [from === null ? '--from' : null, to === null ? '--to' : null].filter((flag) => flag !== null);
  throw new EdrlakeError('USAGE', `expected --from and --to, ${wordsText(missing)} is missing`, {
    hint: 'A single day is the same date twice: --from 2020-08-17 --to 2020-08-17',
  });
}

/** Which events of a range are meant. */
export function scopeOf(values: FlagValues): QueryScope {
  return { filter: values.filter, state: values.state };
}
