import { backfill, connect, openLake } from 'edrlake';

/** Where to export from; `baseUrl` may be a simulated gateway. */
export interface Account {
  readonly baseUrl: string;
  readonly username: string;
  readonly password: string;
}

/**
 * Exports one UTC day into a lake, and counts its events by type with SQL. Running it again fetches nothing that is
 * proven.
 * @param directory of the lake, created where it is missing
 * @returns lines to print
 */
export async function exportAndQuery(account: Account, day: string, directory: string): Promise<string[]> {
  const lake = await openLake(directory);
  const source = await connect(account, { lake });
  try {
    const { outcome, requestsMade } = await backfill(lake, source, { from: day, to: day });
    const sql = 'select event_type as type, count(*) as events from events group by all order by 1';
    const rows = await lake.query<{ type: string; events: number }>(sql).toArray();
    return [`${outcome}: ${requestsMade} requests`, ...rows.map(({ type, events }) => `${type}: ${events}`)];
  } finally {
    await source.close();
    await lake.close();
  }
}
