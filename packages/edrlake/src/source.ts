import {
  type Clock,
  type Dataset,
  EdrlakeError,
  type EventSource,
  type ProxySettings,
  type Random,
  type RunEvent,
} from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import type { Connection, ConnectionSettings, LakeLimiter, SourceConnection } from '@edrlake/runner';
import type { TenantGate } from '@edrlake/runner/open-lake';
import { COUNT, checkArgument, checkOptions, DATASET, FUNCTION, oneOf } from './input/checks.ts';
import {
  listenerOf,
  openReports,
  type Reports,
  SURROUNDING_CHECKS,
  type Surroundings,
  surroundingsOf,
} from './input/options.ts';
import type { Lake } from './lake/types.ts';
import { internalsOf as lakeInternalsOf } from './lake.ts';
import { type OwnSourceSettings, openOwnSource } from './source/own-source.ts';

/** What a connection takes besides its settings. */
export interface ConnectOptions extends Surroundings {
  /**
   * The lake whose account of requests it uses from the first request on. Without it, from its first call that is given
   * a lake. A lake that is opened for reading is left alone.
   */
  readonly lake?: Lake;
  /**
   * Among all that work on one lake. `high`, for what runs every night: its requests go before those of `normal`, which
   * leave it a fifth of the limit. Default `normal`.
   */
  readonly priority?: 'high' | 'normal';
}

/**
 * A connection to the API. It logs in with its first request, and one login serves all that follow. Calls may run at
 * once: together they stay within the limits on requests. Close it when all calls have ended, or declare it with
 * `await using`.
 */
export interface Source extends AsyncDisposable {
  /** The URL of the gateway, without a path; of a dataset of your own the name of its API. */
  readonly baseUrl: string;
  /** The events that it gives. */
  readonly dataset: Dataset;
  /** Counts and pages of events, for what the functions of this package do not cover. */
  readonly api: EventSource;
  /** Requests sent so far, logins and retries included. */
  requestsMade(): number;
  /**
   * Requests that may be sent now without waiting, by the limits known so far; infinite for a dataset of your own,
   * whose API is not limited here.
   */
  requestsLeft(): number;
  /** Ends idle connections and leaves the account of requests of each lake. */
  close(): Promise<void>;
}

const INTERNALS = Symbol('internals');

/** What the functions of this package need of a source. */
export interface SourceInternals {
  readonly connection: SourceConnection;
  readonly dataset: Dataset;
  /** Of webhooks. */
  readonly proxy: ProxySettings | null;
  readonly concurrency: number;
  readonly clock: Clock;
  readonly random: Random;
  readonly reports: Reports;
  /**
   * Counts requests in the account of the lake from now on, and compares each login with its owner; once for each lake.
   * @throws {EdrlakeError} `CUSTOMER_FOREIGN` where the login is another customer's
   */
  join(lake: Lake): Promise<void>;
}

interface OpenedSource extends Source {
  readonly [INTERNALS]: SourceInternals;
}

/** Requests at once unless the settings say otherwise: what the standard subscription allows. */
const DEFAULT_CONCURRENCY = 2;

/**
 * Prepares a connection to the API of a dataset: the Qualys IOC/EDR API, or with `dataset: QUALYS_FIM` the one of File
 * Integrity Monitoring. No request is sent before one is needed, so a wrong password is
 * noticed by the first call: `AUTH_REJECTED`.
 *
 * Requests count against the limit of the subscription (300 an hour until the headers of the gateway say otherwise):
 * calls wait instead of running into it. With a lake, the account is in the lake, so that all processes that work on it
 * share one.
 *
 * Nothing is read from the environment: a proxy is given in the settings.
 * @throws {EdrlakeError} `URL_INVALID` for a URL that cannot be, `CONFIG_INVALID` for a platform that is not known or a
 * number that cannot work, `LAKE_UNWRITABLE` where the lake cannot hold the account
 * @example
 * await using source = await connect({ platform: 'US2', username: 'exporter', password });
 * // As an OAuth client: connect({ platform: 'US2', clientId, clientSecret })
 */
export async function connect(settings: ConnectionSettings, options?: ConnectOptions): Promise<Source>;
/**
 * Opens the API of a dataset of your own. It limits its rate, retries and logs in by itself, so its requests are only
 * counted, and are in no account of a lake.
 * @example
 * await using source = await connect({ dataset: DOORS, access: 'https://doors.example.com' });
 */
export async function connect<Access>(settings: OwnSourceSettings<Access>, options?: ConnectOptions): Promise<Source>;
export async function connect<Access>(
  settings: ConnectionSettings | OwnSourceSettings<Access>,
  options: ConnectOptions = {},
): Promise<Source> {
  checkOptions('connect', settings, { dataset: DATASET, concurrency: COUNT });
  checkOptions('connect', options, { ...SURROUNDING_CHECKS, priority: oneOf('high', 'normal') });
  if ('access' in settings) return ownSource(settings, options);
  const { clock, random } = surroundingsOf(options);
  const reports = openReports(listenerOf(options));
  const services = { clock, random, emit: reports.emit };
  const [runner, { createRateLimiter }, { limiterChain }] = await Promise.all([
    import('@edrlake/runner'),
    import('@edrlake/client'),
    import('./source/limiter-chain.ts'),
  ]);
  const { concurrency = DEFAULT_CONCURRENCY } = settings;
  const limiter = limiterChain(createRateLimiter(settings.rateLimit ?? null, services, concurrency), clock);
  const places = new Set<LakeLimiter>();
  const emit = (event: RunEvent) => {
    for (const place of places) place.observe(event);
    services.emit(event);
  };
  const gates = new Set<TenantGate>();
  let tenant: string | null = null;
  const onLogin = (found: string | null) => {
    tenant = found ?? tenant;
    settings.onLogin?.(found);
    for (const gate of gates) gate.onLogin(found);
  };
  const connection = runner.connect({ ...settings, onLogin }, { ...services, emit }, limiter);
  const joined = new Map<string, Promise<LakeLimiter>>();
  const join = async (lake: Lake) => {
    const { gate } = lakeInternalsOf(lake);
    gates.add(gate);
    gate.onLogin(tenant);
    if (lake.isReadOnly) return;
    const { directory, objects } = lakeInternalsOf(lake).stored;
    const sharing = {
      ...{ lakeDirectory: directory, ...(objects && { objects }) },
      ...{ priority: options.priority ?? 'normal', command: 'library' },
    };
    const place =
      joined.get(directory) ??
      runner.joinLakeLimiter(settings, sharing, services).then((found) => {
        limiter.add(found.limiter);
        places.add(found);
        return found;
      });
    joined.set(directory, place);
    await place.catch((thrown) => {
      // Another call tries again.
      joined.delete(directory);
      throw thrown;
    });
  };
  let closing: Promise<void> | null = null;
  const close = () => {
    closing ??= closeAll(connection, joined.values());
    return closing;
  };
  const { dataset = DEFAULT_DATASET, proxy = null } = settings;
  const source: OpenedSource = {
    baseUrl: connection.baseUrl,
    dataset,
    api: connection.source,
    requestsMade: connection.requestsMade,
    requestsLeft: limiter.requestsLeft,
    close,
    [Symbol.asyncDispose]: close,
    [INTERNALS]: { connection, dataset, proxy, concurrency, clock, random, reports, join },
  };
  const { lake } = options;
  if (lake === undefined) return source;
  lakeInternalsOf(lake);
  try {
    await join(lake);
    return source;
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function ownSource<Access>(settings: OwnSourceSettings<Access>, options: ConnectOptions): Source {
  const { clock, random } = surroundingsOf(options);
  const { dataset, concurrency = DEFAULT_CONCURRENCY } = settings;
  checkArgument('connect', 'source of the dataset', dataset?.source, FUNCTION);
  const connection = openOwnSource(settings);
  const close = async () => {};
  const reports = openReports(listenerOf(options));
  const opened: OpenedSource = {
    baseUrl: connection.source.name,
    dataset,
    api: connection.source,
    requestsMade: connection.requestsMade,
    requestsLeft: () => Number.POSITIVE_INFINITY,
    close,
    [Symbol.asyncDispose]: close,
    [INTERNALS]: { connection, dataset, proxy: null, concurrency, clock, random, reports, join: close },
  };
  return opened;
}

/** The connection ends first, so that no request is in flight when a place is released. */
async function closeAll(connection: Connection, joined: Iterable<Promise<LakeLimiter>>): Promise<void> {
  await connection.close();
  const failures: unknown[] = [];
  for (const place of joined) {
    const limiter = await place.catch(() => null);
    await limiter?.leave().catch((thrown) => failures.push(thrown));
  }
  if (failures.length > 0) throw failures[0];
}

/** What is behind a source. @throws {EdrlakeError} `USAGE` for an object that `connect` has not made */
export function internalsOf(source: Source): SourceInternals {
  const found = (source as Partial<OpenedSource> | undefined)?.[INTERNALS];
  if (found !== undefined) return found;
  throw new EdrlakeError('USAGE', 'expected a source that connect has made', {
    hint: 'Hand on the object as it is: a copy of its methods is no source.',
  });
}
