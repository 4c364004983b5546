import { type EdrlakeError, toEdrlakeError } from '@edrlake/core';
import { checkArgument, checkOptions, FUNCTION, SIGNAL, TEXT } from './input/checks.ts';
import { type ScopeOptions, signalOf } from './input/options.ts';
import type { Lake, OpenLakeOptions } from './lake/types.ts';
import { openLake } from './lake.ts';
import { type ConnectOptions, connect, type Source } from './source.ts';

/** Which subscriptions of which configuration file. */
export interface SubscriptionsOptions {
  /** The configuration file of the command. Default: `edrlake.config.*` in the working directory of the process. */
  readonly config?: string;
  /** As `--subscription`: a name, a pattern such as `eu-*`, or several. Default `all`. */
  readonly choose?: string | readonly string[];
  /**
   * Where the accounts are, and what the file leaves open, as for the command: mostly `process.env`. Default: nothing;
   * each account is then in files that the configuration names.
   */
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Ends the loop before the next subscription; hand it to the calls of the work as well. */
  readonly signal?: AbortSignal;
}

/** One subscription, with its settings. */
export interface Subscription {
  readonly name: string;
  /** Which of its events are wanted, as the file says: for `backfill`, `sync` and `reconcile`. */
  readonly scope: ScopeOptions;
  /** Opens its lake. @throws {EdrlakeError} as `openLake` */
  openLake(options?: Omit<OpenLakeOptions, 'subscription' | 'dataset'>): Promise<Lake>;
  /** Prepares a connection with its account. @throws {EdrlakeError} `CREDENTIALS_MISSING`, and as `connect` */
  connect(options?: ConnectOptions): Promise<Source>;
}

/** What became of the work for one subscription. */
export type SubscriptionResult<T> =
  | { readonly name: string; readonly result: T; readonly error: null }
  | { readonly name: string; readonly result: null; readonly error: EdrlakeError };

/**
 * Works for the subscriptions of the command's configuration file, one after another, as `--subscription all` does:
 * each with its own account, lake and request limit. What fails for one is in its result, and the others go on.
 * @param work closes what it opens, and awaits before that what works with it
 * @returns the results in the order of the file
 * @throws {EdrlakeError} `USAGE` or `CONFIG_INVALID`, before anything is opened, for what the command refuses: an
 * unknown key or name, two subscriptions with one lake; and what aborts the signal
 * @example
 * const results = await forEachSubscription({ env: process.env }, async (subscription) => {
 *   await using lake = await subscription.openLake();
 *   await using source = await subscription.connect({ lake });
 *   return await sync(lake, source, { ...subscription.scope, since: '2026-11-01' });
 * });
 */
export async function forEachSubscription<T>(
  options: SubscriptionsOptions,
  work: (subscription: Subscription) => Promise<T>,
): Promise<readonly SubscriptionResult<T>[]> {
  checkOptions('forEachSubscription', options, { config: TEXT, choose: CHOICE, env: ENVIRONMENT, signal: SIGNAL });
  checkArgument('forEachSubscription', 'work', work, FUNCTION);
  const { config = null, choose = 'all', env = {} } = options;
  const signal = signalOf(options);
  const { configuredSubscriptions } = await import('@edrlake/cli/subscriptions');
  const chosen = typeof choose === 'string' ? [choose] : choose;
  const found = await configuredSubscriptions({ config, choose: chosen, env, workingDirectory: process.cwd() });
  const results: SubscriptionResult<T>[] = [];
  for (const { name, scope, lake, readSettings } of found) {
    signal.throwIfAborted();
    const subscription: Subscription = {
      name,
      scope: {
        ...(scope.filter !== null && { filter: scope.filter }),
        ...(scope.state !== null && { state: scope.state }),
      },
      openLake: (own) => openLake(lake.place, { ...lake.options, ...own }),
      connect: async (own) => connect(await readSettings(), own),
    };
    try {
      results.push({ name, result: await work(subscription), error: null });
    } catch (thrown) {
      signal.throwIfAborted();
      results.push({ name, result: null, error: toEdrlakeError(thrown) });
    }
  }
  return results;
}

const isText = (value: unknown) => TEXT.fits(value);

/** As `--subscription`, once or more. */
const CHOICE = {
  expected: 'a name, a pattern, or a list of these',
  fits: (value: unknown) => isText(value) || (Array.isArray(value) && value.length > 0 && value.every(isText)),
  shows: true,
};

/** As `process.env`. */
const ENVIRONMENT = {
  expected: 'an object of texts, such as process.env',
  fits: (value: unknown) => typeof value === 'object' && value !== null,
};
