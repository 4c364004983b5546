import { createHash } from 'node:crypto';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { openSharedLimiter, type RequestPriority, resolveBaseUrl } from '@edrlake/client';
import { openLakeLease } from '@edrlake/lake';
import type { Services } from '../run/types.ts';
import { type Connection, type ConnectionSettings, connect } from './connect.ts';
import { limiterDirectory } from './limiter-folder.ts';

/** With whom a connection shares its requests, and who goes first. */
export interface Sharing {
  /** Created where it is missing, as far as the budget needs it. */
  readonly lakeDirectory: string;
  /** `high` for what runs every night, `normal` for what fills gaps: while the former is connected, it goes first. */
  readonly priority: RequestPriority;
}

/**
 * A connection whose requests count together with those of all others to the same account that were made for the same lake, in
 * this process or another: never more in a window, and never more at once, than the limits allow. The account lies in
 * `_runs/budget-<digest of host and user>/` and stays there for the next run. Close the connection: it gives its place back;
 * one that is killed is
 * missed within a second, or, where this one cannot see its process, when its lease has expired.
 * @throws {EdrlakeError} as `connect`; `LAKE_UNWRITABLE`, here and from requests, when the folder cannot be written
 */
export async function connectSharing(
  settings: ConnectionSettings,
  sharing: Sharing,
  services: Pick<Services, 'clock' | 'random' | 'emit'>,
): Promise<Connection> {
  const { platform, baseUrl, username, rateLimit, concurrency } = settings;
  const { host } = new URL(resolveBaseUrl({ ...(platform && { platform }), ...(baseUrl && { baseUrl }) }));
  const digest = createHash('sha256').update(`${host}/${username}`).digest('hex').slice(0, 16);
  const lease = await openLakeLease(sharing.lakeDirectory);
  const budget = await openSharedLimiter(
    {
      directory: limiterDirectory(sharing.lakeDirectory, digest),
      userLimit: rateLimit ?? null,
      ...(concurrency !== undefined && { concurrency }),
      priority: sharing.priority,
      liveness: { owner: lease.owner, stateOf: lease.stateOf },
    },
    services,
  ).catch(async (thrown: unknown) => {
    await lease.release();
    throw thrown;
  });
  const leave = async () => {
    try {
      await budget.close();
    } finally {
      await lease.release();
    }
  };
  try {
    const connection = connect(settings, services, budget);
    return {
      ...connection,
      async close() {
        // First what uses the budget, so that nothing is under way when its place is given back.
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
 * For what asks without needing a lake: shares the account of the lake where there is one, else a connection of its own.
 * Nothing is created for it, and one who may not write the lake may still ask.
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
  return isSharable ? connectSharing(settings, sharing, services) : connect(settings, services);
}
