import {
  type Account,
  createGatewayClient,
  type GatewayClient,
  type RateLimiter,
  resolveBaseUrl,
} from '@edrlake/client';
import type { Dataset, EventSource, ProxySettings, RateLimit, TimeAxis } from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import { openSource } from '@edrlake/datasets/sources';
import type { Services } from '../run/types.ts';

/**
 * How to reach one account on one platform: with the user name and password of a person, or as an OAuth client. Absent
 * settings take the documented defaults.
 */
export type ConnectionSettings = PlatformSettings & Account;

/** How to reach a platform, without the account. */
export interface PlatformSettings {
  /** A platform id such as `US2`, or else `baseUrl`. */
  readonly platform?: string;
  /** The events to ask for, of the datasets that edrlake comes with; those of the EDR API unless given. */
  readonly dataset?: Dataset;
  readonly baseUrl?: string;
  /** The path before `/events`, `/ioc` unless given; `auto` tries `/ioc/v1` first. */
  readonly apiPrefix?: string;
  /** An upper bound that the gateway's headers may only lower. null: 300 per 3600 s until headers say otherwise. */
  readonly rateLimit?: RateLimit | null;
  readonly concurrency?: number;
  readonly pageSize?: number;
  readonly maxResultWindow?: number;
  readonly timeTokens?: Readonly<Partial<Record<TimeAxis, string>>>;
  readonly histogram?: 'on' | 'off' | 'auto';
  /** Pagination of events: by page number (default), or by cursor on a platform that has `/events/searchAfter`. */
  readonly walk?: 'pages' | 'searchAfter';
  /** Attempts for one request, the first included. */
  readonly retryAttempts?: number;
  /** The proxy of all connections, except to this machine and to the hosts in its exclusions. */
  readonly proxy?: ProxySettings | null;
  /** Called with the tenant of each login, null where its token does not say it; what it throws ends the request. */
  readonly onLogin?: (tenant: string | null) => void;
}

/** What exports need of a connection to any API. */
export interface SourceConnection {
  readonly source: EventSource;
  /** Requests sent so far, logins and retries included. */
  requestsMade(): number;
}

/** An open connection to the API: an event source for exports, and a client for direct requests. */
export interface Connection extends SourceConnection {
  readonly client: GatewayClient;
  /** The URL of the gateway, without a path. */
  readonly baseUrl: string;
  close(): Promise<void>;
}

/** @throws {EdrlakeError} `URL_INVALID` or `CONFIG_INVALID` for a gateway that cannot be */
export function refuseUnknownGateway({ platform, baseUrl }: Parameters<typeof resolveBaseUrl>[0]): void {
  resolveBaseUrl({ ...(platform && { platform }), ...(baseUrl && { baseUrl }) });
}

/**
 * Prepares a connection without sending a request.
 * @param budget replaces the rate limiter of the connection, if several connections share one
 * @throws {EdrlakeError} `URL_INVALID` or `CONFIG_INVALID` for settings that cannot work
 */
export function connect(
  settings: ConnectionSettings,
  services: Pick<Services, 'clock' | 'random' | 'emit'>,
  budget?: RateLimiter,
): Connection {
  const { platform, baseUrl, dataset = DEFAULT_DATASET, timeTokens, ...others } = settings;
  const { pageSize, maxResultWindow, histogram, walk, ...rest } = others;
  const window = maxResultWindow === undefined ? {} : { maxResultWindow };
  const url = resolveBaseUrl({ ...(platform && { platform }), ...(baseUrl && { baseUrl }) });
  const client = createGatewayClient(
    { ...rest, ...window, baseUrl: url },
    { clock: services.clock, random: services.random, emit: services.emit, ...(budget && { budget }) },
  );
  const source = openSource(dataset, {
    client,
    ...(timeTokens !== undefined && { timeTokens }),
    ...(pageSize !== undefined && { pageSize }),
    ...(histogram !== undefined && { histogram }),
    ...(walk !== undefined && { walk }),
    ...window,
  });
  return {
    source,
    client,
    baseUrl: url,
    requestsMade: () => client.requestsMade().total,
    close: () => client.close(),
  };
}
