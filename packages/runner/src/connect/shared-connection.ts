import { createHash } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import {
  accountName,
  openSharedLimiter,
  type RateLimiter,
  type RequestPriority,
  resolveBaseUrl,
} from '@edrlake/client';
import { closeAfter, EdrlakeError, type RunEvent } from '@edrlake/core';
import { type ObjectLake, openLakeLease } from '@edrlake/lake';
import type { Services } from '../run/types.ts';
import { type Connection, type ConnectionSettings, connect } from './connect.ts';
import { limiterDirectory } from './limiter-folder.ts';
import { openLimiterStore } from './limiter-store.ts';
import { openRequestLog } from './request-log.ts';

/** The lake whose limiter a connection shares, and its priority there. */
export interface Sharing {
  /** Created if missing, as far as the limiter needs it. */
  readonly lakeDirectory: string;
  /** Where the lake is, if in an object store: then the limiter is there, and shared by all machines. */
  readonly objects?: ObjectLake;
  /**
   * `high` for nightly runs, `normal` for backfills: while a connection of high priority is open, its requests go
   * first.
   */
  readonly priority: RequestPriority;
  /** What sends the requests, for the log of requests: a command such as `sync`. */
  readonly command: string;
  /** The longest wait for the rate limit, see `SharedLimiterOptions`. */
  readonly patienceMs?: () => number;
}

/** A place among all that send requests for one account and one lake. */
export interface LakeLimiter {
  readonly limiter: RateLimiter;
  /** Takes what the connection reports, for the log of requests. */
  observe(event: RunEvent): void;
  /** Releases the place. No request may be in flight. */
  leave(): Promise<void>;
}

/**
 * Joins the rate limiter that all connections to the same account and lake share, in this process or another. Together
 * they stay within the limits on requests per window and on concurrency. The state is in
 * `_runs/budget-<digest of host and user>/`, of a lake in an object store beside it in `_requests/<digest>/`, and
 * remains there for the next run. The place of a killed process is
 * released within a second, or, if its process cannot be seen from here, when its lease has expired.
 * @throws {EdrlakeError} `LAKE_UNWRITABLE`, here and from requests, when the folder cannot be written
 */
export async function joinLakeLimiter(
  settings: ConnectionSettings,
  sharing: Sharing,
  services: Pick<Services, 'clock' | 'random' | 'emit'>,
): Promise<LakeLimiter> {
  const { platform, baseUrl, rateLimit, concurrency } = settings;
  const { host } = new URL(resolveBaseUrl({ ...(platform && { platform }), ...(baseUrl && { baseUrl }) }));
  const digest = createHash('sha256')
    .update(`${host}/${accountName(settings)}`)
    .digest('hex')
    .slice(0, 16);
  const lease = await openLakeLease(sharing.lakeDirectory);
  const openLimiter = async () => {
    const store = sharing.objects && (await openLimiterStore(sharing.objects, digest));
    return openSharedLimiter(
      {
        directory: limiterDirectory(sharing.lakeDirectory, digest),
        userLimit: rateLimit ?? null,
        ...(concurrency !== undefined && { concurrency }),
        priority: sharing.priority,
        liveness: { owner: lease.owner, stateOf: lease.stateOf },
        ...(sharing.patienceMs && { patienceMs: sharing.patienceMs }),
        ...(store && { store }),
      },
      services,
    );
  };
  const limiter = await openLimiter().catch(async (thrown: unknown) => {
    await lease.release();
    throw thrown;
  });
  const { lakeDirectory, command } = sharing;
  const log = openRequestLog({ lakeDirectory, account: digest, command }, limiter, services);
  const leave = () => closeAfter(lease.release, () => closeAfter(limiter.close, log.close));
  return { limiter, observe: log.observe, leave };
}

/**
 * A connection that shares its rate limiter, see `joinLakeLimiter`. Closing the connection releases its place.
 * @throws {EdrlakeError} as `connect` and `joinLakeLimiter`
 */
export async function connectSharing(
  settings: ConnectionSettings,
  sharing: Sharing,
  services: Pick<Services, 'clock' | 'random' | 'emit'>,
): Promise<Connection> {
  const { limiter, observe, leave } = await joinLakeLimiter(settings, sharing, services);
  const emit = (event: RunEvent) => {
    observe(event);
    services.emit(event);
  };
  try {
    const connection = connect(settings, { ...services, emit }, limiter);
    return {
      ...connection,
      async close() {
        // The connection ends first, so that no request is in flight when its place is released.
        await connection.close();
        await leave();
      },
    };
  } catch (thrown) {
    await leave();
    throw thrown;
  }
}

/**
 * A connection for requests that need no lake: it shares the limiter of the lake if there is one, else it has its own.
 * It creates nothing, and works without write access to the lake.
 * @throws {EdrlakeError} as `connect`
 */
export async function connectBeside(
  settings: ConnectionSettings,
  sharing: Sharing,
  services: Pick<Services, 'clock' | 'random' | 'emit'>,
): Promise<Connection> {
  const runsDirectory = join(sharing.lakeDirectory, '_runs');
  const isSharable = await access(runsDirectory, constants.W_OK).then(
    () => true,
    () => false,
  );
  if (!isSharable) return connect(settings, services);
  return connectSharing(settings, sharing, services).catch((thrown: unknown) => {
    // Who may only read the objects of a lake cannot be counted there.
    if (thrown instanceof EdrlakeError && thrown.code === 'STORE_REFUSED') return connect(settings, services);
    throw thrown;
  });
}
