import {
  createQualysClient,
  createQualysSource,
  DOCUMENTED_TOKENS,
  type QualysClient,
  type RateLimiter,
  resolveBaseUrl,
} from '@edrlake/client';
import type { EventSource, ProxySettings, RateLimit, TimeAxis } from '@edrlake/core';
import type { Services } from '../run/types.ts';

/** How to reach one account on one platform. Absent settings take the documented defaults. */
export interface ConnectionSettings {
  /** A platform id such as `US2`, or else `baseUrl`. */
  readonly platform?: string;
  readonly baseUrl?: string;
  readonly apiPrefix?: string;
  readonly username: string;
  readonly password: string;
  /** An upper bound that the gateway's headers may only lower. null: 300 per 3600 s until headers say otherwise. */
  readonly rateLimit?: RateLimit | null;
  readonly concurrency?: number;
  readonly pageSize?: number;
  readonly maxResultWindow?: number;
  readonly timeTokens?: Readonly<Partial<Record<TimeAxis, string>>>;
  readonly histogram?: 'on' | 'off' | 'auto';
  /** How events are walked: by page numbers (default), or by cursors on a platform that has `/events/searchAfter`. */
  readonly walk?: 'pages' | 'searchAfter';
  /** Tries of one request, the first included. */
  readonly retryTries?: number;
  /** Connections go through it, except to this machine itself and to the hosts it does not count for. */
  readonly proxy?: ProxySettings | null;
}

/** An open connection to the API: as a source for exports, and as a client for a person who wants to look. */
export interface Connection {
  readonly source: EventSource;
  readonly client: QualysClient;
  /** Where it goes, without a path. */
  readonly baseUrl: string;
  /** Requests sent so far, logins and retries included. */
  requestsMade(): number;
  close(): Promise<void>;
}

/**
 * Prepares a connection; the first request is made by whoever uses it.
 * @param budget replaces the connection's own request budget, where several share one
 * @throws {EdrlakeError} `URL_INVALID` or `CONFIG_INVALID` for settings that cannot work
 */
export function connect(
  settings: ConnectionSettings,
  services: Pick<Services, 'clock' | 'random' | 'emit'>,
  budget?: RateLimiter,
): Connection {
  const { platform, baseUrl, timeTokens, pageSize, maxResultWindow, histogram, walk, ...rest } = settings;
  const window = maxResultWindow === undefined ? {} : { maxResultWindow };
  const url = resolveBaseUrl({ ...(platform && { platform }), ...(baseUrl && { baseUrl }) });
  const client = createQualysClient(
    { ...rest, ...window, baseUrl: url },
    { clock: services.clock, random: services.random, emit: services.emit, ...(budget && { budget }) },
  );
  const source = createQualysSource(client, {
    timeTokens: { ...DOCUMENTED_TOKENS.timeTokens, ...timeTokens },
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
