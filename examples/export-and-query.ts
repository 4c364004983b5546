import { NO_FILTER, parseRange, seededRandom, systemClock } from '@edrlake/core';
import { connect, exportRange, openEdrLake } from '@edrlake/runner';

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
  const signal = AbortSignal.timeout(3_600_000);
  const services = { clock: systemClock, random: seededRandom(1), emit: () => {}, signal };
  const connection = connect(account, services);
  const lake = await openEdrLake(directory, { create: true, readOnly: false }, services);
  try {
    const report = await exportRange(
      { source: connection.source, lake, requestsMade: connection.requestsMade },
      { axis: 'event', ranges: [{ range: parseRange(day, day) }], scope: NO_FILTER },
      { concurrency: 2, batchBytes: 64 * 1024 * 1024, force: false, replace: false },
      // Unique, and in the order of time: a crash is resumed by the next run of the same request.
      { ...services, newRunId: `${new Date().toISOString().replace(/[-:]|\.\d+/g, '')}-example` },
    );
    const result = await lake.query('select event_type, count(*) as events from events group by all order by 1');
    const rows: string[] = [];
    for await (const chunk of result.rows) rows.push(...chunk.map((row) => row.join(': ')));
    return [`${report.outcome}: ${report.requestsMade} requests`, ...rows];
  } finally {
    await connection.close();
    await lake.close();
  }
}
