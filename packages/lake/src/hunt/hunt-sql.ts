import type { DuckDBConnection, DuckDBValue } from '@duckdb/node-api';
import { type Observable, quoteName, quoteText, type TableSpec, type TimeRange } from '@edrlake/core';
import type { Indicator } from '../indicators/indicator.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { narrowed, type PlainRow, partitionDay, rowsOf, type TableReader, tableRowsSql } from '../log/table-rows.ts';
import { EVENTS } from '../storage/layout.ts';
import { namesAboveSql } from '../value-index/index-keys.ts';
import { networkTable } from './addresses.ts';
import { findFewHits } from './few-hits.ts';
import type { Hits, HuntedTable } from './hits.ts';
import type { HuntMatch } from './hunt-types.ts';

/** Temporary tables of one hunt on its connection. */
const TEMPORARY = ['hunt_indicators', 'hunt_wanted', 'hunt_values', 'hunt_hits', 'hunt_rows', 'hunt_matches'];

/** Removes what a hunt has made, also one that failed. */
export async function dropHuntTables(connection: DuckDBConnection): Promise<void> {
  await connection.run(TEMPORARY.map((name) => `DROP TABLE IF EXISTS ${name}`).join('; '));
}

/** Puts what is sought, in lower case, into `hunt_wanted`, once. `n` is the position of the indicator. */
export async function createWanted(connection: DuckDBConnection, indicators: readonly Indicator[]): Promise<void> {
  // Lists of the same kind: DuckDB reads an object for each value in twice the time.
  const kinds = new Map<string, { observable: Observable; how: string; n: number[]; value: string[] }>();
  for (const [n, { sought }] of indicators.entries()) {
    for (const { observable, how, value } of sought) {
      const kind = kinds.get(`${observable} ${how}`) ?? { observable, how, n: [], value: [] };
      kinds.set(`${observable} ${how}`, kind);
      kind.n.push(n);
      kind.value.push(value);
    }
  }
  const shape = JSON.stringify([{ observable: 'VARCHAR', how: 'VARCHAR', n: ['INTEGER'], value: ['VARCHAR'] }]);
  await connection.run(
    `CREATE TEMP TABLE IF NOT EXISTS hunt_wanted AS SELECT n, observable, how, lower(value) AS value
     FROM (SELECT r.observable, r.how, unnest(r.n) AS n, unnest(r.value) AS value
       FROM (SELECT unnest(from_json($rows::JSON, $shape)) AS r))`,
    { rows: JSON.stringify([...kinds.values()]), shape },
  );
}

/** Puts what matches are shown with into `hunt_indicators`. */
export async function createIndicators(connection: DuckDBConnection, indicators: readonly Indicator[]): Promise<void> {
  const texts = indicators.map(({ text, kind }, n) => ({ n, text, kind }));
  await connection.run(
    `CREATE TEMP TABLE hunt_indicators AS SELECT r.n, r.text, r.kind
     FROM (SELECT unnest(from_json($rows::JSON, '[{"n":"INTEGER","text":"VARCHAR","kind":"VARCHAR"}]')) AS r)`,
    { rows: JSON.stringify(texts) },
  );
}

/** SQL of whether a time is in a range; null: any is, also none. */
export function duringSql(time: string, range: TimeRange | null): string {
  if (range === null) return 'true';
  return `(epoch_us(${time}) >= ${range.startMs * 1_000} AND epoch_us(${time}) < ${range.endMs * 1_000})`;
}

/** SQL of a pattern for LIKE with `!` as escape character. */
export function likeSql(wildcard: string): string {
  const plain = ['!', '%', '_'].reduce((sql, each) => `replace(${sql}, '${each}', '!${each}')`, wildcard);
  return `replace(replace(${plain}, '*', '%'), '?', '_')`;
}

/** Puts the stored values that values, patterns, names and networks mean into `hunt_values`. */
async function resolveValues(
  connection: DuckDBConnection,
  reader: TableReader,
  tables: readonly HuntedTable[],
  indicators: readonly Indicator[],
): Promise<void> {
  await createWanted(connection, indicators);
  await connection.run(
    `CREATE TEMP TABLE hunt_values AS SELECT observable, value, n FROM hunt_wanted WHERE how = 'equal'`,
  );
  const hows = new Set(indicators.flatMap(({ sought }) => sought.map(({ observable, how }) => `${observable} ${how}`)));
  const networks = networkTable(
    indicators.flatMap(({ sought }, key) =>
      sought.filter(({ how }) => how === 'network').map(({ value }) => ({ value, key })),
    ),
  );
  for (const { table, columns, files } of tables) {
    for (const { name, observable } of columns) {
      const rows = tableRowsSql(reader, table, files);
      const column = quoteName(name);
      const values = `SELECT DISTINCT ${column} AS v FROM (${rows}) WHERE ${column} IS NOT NULL`;
      const into = `INSERT INTO hunt_values SELECT DISTINCT '${observable}', lower(v), n`;
      const of = (how: string) => `w.how = '${how}' AND w.observable = '${observable}'`;
      if (hows.has(`${observable} subdomains`)) {
        const names = `SELECT v, unnest(${namesAboveSql('v')}) AS name FROM (${values})`;
        await connection.run(`${into} FROM (${names}) JOIN hunt_wanted w ON w.value = name AND ${of('subdomains')}`);
      }
      if (hows.has(`${observable} wildcard`)) {
        const matches = `lower(v) LIKE ${likeSql('w.value')} ESCAPE '!'`;
        await connection.run(`${into} FROM (${values}) JOIN hunt_wanted w ON ${of('wildcard')} AND ${matches}`);
      }
      if (hows.has(`${observable} network`)) await resolveNetworks(connection, values, networks, observable);
    }
  }
}

async function resolveNetworks(
  connection: DuckDBConnection,
  values: string,
  networks: ReturnType<typeof networkTable>,
  observable: Observable,
): Promise<void> {
  const found: { value: string; n: number }[] = [];
  const result = await connection.stream(values);
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) break;
    for (const [value] of chunk.getRows()) {
      for (const n of networks.holding(String(value))) found.push({ value: String(value), n });
    }
  }
  if (found.length === 0) return;
  await connection.run(
    `INSERT INTO hunt_values SELECT '${observable}', lower(r.value), r.n
     FROM (SELECT unnest(from_json($rows::JSON, '[{"value":"VARCHAR","n":"INTEGER"}]')) AS r)`,
    { rows: JSON.stringify(found) },
  );
}

/** Puts the rows that hold a value, by file and row number, into `hunt_hits`. One scan of each table. */
async function findManyHits(
  connection: DuckDBConnection,
  reader: TableReader,
  tables: readonly HuntedTable[],
  indicators: readonly Indicator[],
): Promise<Hits> {
  await resolveValues(connection, reader, tables, indicators);
  await connection.run(
    `CREATE TEMP TABLE hunt_hits (table_name VARCHAR, column_name VARCHAR, lake_file VARCHAR, lake_row BIGINT,
     value VARCHAR, n INTEGER)`,
  );
  for (const { table, columns, files } of tables) {
    if (files.length === 0 || columns.length === 0) continue;
    const narrow = narrowed(
      table,
      columns.map(({ name }) => name),
    );
    const rows = tableRowsSql(reader, narrow, files, { withPlace: true });
    const ofKind = (observable: Observable) => `SELECT value FROM hunt_values WHERE observable = '${observable}'`;
    const conditions = columns.map(({ name, observable }) => `lower(${quoteName(name)}) IN (${ofKind(observable)})`);
    const names = columns.map(({ name }) => quoteName(name)).join(', ');
    const found = `SELECT lake_file, lake_row, ${names} FROM (${rows}) WHERE ${conditions.join(' OR ')}`;
    const hits = columns.map(
      ({ name, observable }) =>
        `SELECT ${quoteText(table.name)}, ${quoteText(name)}, lake_file, lake_row, ${quoteName(name)}, v.n
         FROM found JOIN hunt_values v ON v.observable = '${observable}' AND v.value = lower(${quoteName(name)})`,
    );
    await connection.run(
      `INSERT INTO hunt_hits WITH found AS MATERIALIZED (${found}) SELECT DISTINCT * FROM (${hits.join(' UNION ALL ')})`,
    );
  }
  const found = await connection.runAndReadAll('SELECT DISTINCT lake_file FROM hunt_hits');
  return { sql: 'hunt_hits', locations: new Set(found.getRows().map(([file]) => String(file))), rowsSql: null };
}

/** Finds the rows that hold what is sought: a few without tables of their own, and many with `hunt_hits`. */
export async function findHits(
  connection: DuckDBConnection,
  reader: TableReader,
  tables: readonly HuntedTable[],
  indicators: readonly Indicator[],
): Promise<Hits> {
  const few = await findFewHits(connection, reader, tables, indicators);
  return few ?? (await findManyHits(connection, reader, tables, indicators));
}

/** What the matches of hits are made of. */
export interface MatchSource {
  readonly hits: Hits;
  readonly tables: readonly HuntedTable[];
  /** The table of events, and its whole files. */
  readonly events: TableSpec;
  readonly eventFiles: readonly LoggedFile[];
  /** Matches of events outside of it are left out; null: all count. */
  readonly range: TimeRange | null;
  /** Says of each match in which file it is: a value that is in two files is two matches then. */
  readonly withFile?: boolean;
}

/**
 * Puts what is shown of each hit into `hunt_matches`. Reads only files with hits; and for hits in child tables, whose
 * events no hit has brought, the events of their days.
 */
export async function readMatches(
  connection: DuckDBConnection,
  reader: TableReader,
  { hits, tables, events, eventFiles, range, withFile = false }: MatchSource,
): Promise<void> {
  await connection.run(
    `CREATE TEMP TABLE hunt_matches (n INTEGER, event_time TIMESTAMPTZ, event_date DATE, event_id VARCHAR,
     event_type VARCHAR, agent_id VARCHAR, host VARCHAR, table_name VARCHAR, column_name VARCHAR, value VARCHAR,
     lake_file VARCHAR)`,
  );
  const hostColumn = events.columns.find(({ observable }) => observable === 'host')?.name;
  const host = hostColumn === undefined ? 'NULL::VARCHAR' : quoteName(hostColumn);
  const ofEvent = ['event_type', 'agent_id', ...(hostColumn ? [hostColumn] : [])];
  const add = (from: string, hostSql: string) =>
    connection.run(
      `INSERT INTO hunt_matches SELECT DISTINCT n, event_time, event_date, event_id, event_type, agent_id, ${hostSql},
         table_name, column_name, value, ${withFile ? 'lake_file' : 'NULL'} FROM ${from}`,
    );
  // Events first: they are the owners of most hits in child tables.
  const names = [...new Set([EVENTS, ...tables.map(({ table }) => table.name)])];
  for (const name of names) {
    const ofTable = tables.filter(({ table }) => table.name === name);
    const hit = [...new Set(ofTable.flatMap(({ files }) => files))].filter(({ path }) =>
      hits.locations.has(reader.store.locate(path)),
    );
    const [first] = ofTable;
    if (first === undefined || hit.length === 0) continue;
    const isEvents = name === EVENTS;
    const shown = ['event_time', 'event_date', 'event_id', ...(isEvents ? ofEvent : [])];
    const among = hits.rowsSql === null ? 'true' : hits.rowsSql(name);
    const rows = `SELECT * FROM (${tableRowsSql(reader, narrowed(first.table, shown), hit, { withPlace: true })}) WHERE ${among}`;
    const found = `SELECT h.*, r.* EXCLUDE (lake_file, lake_row) FROM ${hits.sql} h
      JOIN (${rows}) r ON r.lake_file = h.lake_file AND r.lake_row = h.lake_row
      WHERE h.table_name = ${quoteText(name)} AND ${duringSql('r.event_time', range)}`;
    if (isEvents) {
      await add(`(${found})`, host);
      continue;
    }
    await connection.run(`CREATE OR REPLACE TEMP TABLE hunt_rows AS ${found}`);
    const unowned = `FROM hunt_rows c ANTI JOIN hunt_matches m ON ${IS_OWNER}`;
    const without = await rowsOf(connection, `SELECT DISTINCT event_date::VARCHAR AS day ${unowned}`);
    const days = new Set(without.map(({ day }) => String(day)));
    const known = `SELECT DISTINCT c.event_id, m.event_type, m.agent_id, m.host FROM hunt_rows c JOIN hunt_matches m ON ${IS_OWNER}`;
    const files = eventFiles.filter((file) => days.has(partitionDay(file)));
    const owners = tableRowsSql(reader, narrowed(events, ['event_id', ...ofEvent]), files);
    const asked = `SELECT event_id, event_type, agent_id, ${host} AS host FROM (${owners})
      WHERE event_id IN (SELECT c.event_id ${unowned})`;
    const all = files.length === 0 ? known : `${known} UNION ${asked}`;
    await add(`hunt_rows LEFT JOIN (${all}) e USING (event_id)`, 'e.host');
  }
}

/** Whether the match `m` is the event of the row `c` of a child table. */
const IS_OWNER = `m.event_id = c.event_id AND m.event_date = c.event_date AND m.table_name = ${quoteText(EVENTS)}`;

/**
 * What the matches say about each indicator that was seen, by its position.
 * @param areFew lists of them fit into memory, which takes a third of the time
 */
export async function summaries(connection: DuckDBConnection, areFew: boolean): Promise<readonly PlainRow[]> {
  const different = (of: string) => (areFew ? `len(list_distinct(list(${of})))` : `count(DISTINCT ${of})`);
  const place = "table_name || '.' || column_name";
  const places = areFew ? `list_distinct(list(${place}))` : `list(DISTINCT ${place})`;
  return rowsOf(
    connection,
    `SELECT n, count(*)::DOUBLE AS matches, ${different('event_id')}::DOUBLE AS events,
       ${different('coalesce(agent_id, host)')}::DOUBLE AS hosts, epoch_ms(min(event_time))::DOUBLE AS first_ms,
       epoch_ms(max(event_time))::DOUBLE AS last_ms,
       array_to_string(list_sort(${places}), ' ') AS columns
     FROM hunt_matches GROUP BY n`,
  );
}

const BY_TIME = 'ORDER BY event_time, event_id, n, table_name, column_name, value';

/** All matches by time, some at once. */
export async function* eachMatch(connection: DuckDBConnection): AsyncGenerator<HuntMatch[]> {
  const result = await connection.stream(
    `SELECT n, epoch_ms(event_time)::DOUBLE, event_date::VARCHAR, event_id, event_type, agent_id, host, table_name,
       column_name, value FROM hunt_matches ${BY_TIME}`,
  );
  for (;;) {
    const chunk = await result.fetchChunk();
    if (chunk === null || chunk.rowCount === 0) return;
    yield chunk.getRows().map(matchOf);
  }
}

/** Writes all matches by time to a Parquet file, with the text of their indicators. */
export async function writeMatches(
  connection: DuckDBConnection,
  indicators: readonly Indicator[],
  file: string,
): Promise<void> {
  await createIndicators(connection, indicators);
  await connection.run(
    `COPY (SELECT i.text AS indicator, i.kind AS kind, m.event_time, m.host, m.event_id, m.event_type, m.agent_id,
       m.table_name AS "table", m.column_name AS "column", m.value
     FROM hunt_matches m JOIN hunt_indicators i USING (n) ${BY_TIME})
     TO ${quoteText(file)} (FORMAT parquet, COMPRESSION zstd, USE_TMP_FILE false)`,
  );
}

function matchOf([n, eventMs, day, eventId, eventType, agentId, host, table, column, value]: DuckDBValue[]): HuntMatch {
  const text = (given: DuckDBValue | undefined) => (typeof given === 'string' ? given : null);
  return {
    indicator: Number(n),
    eventMs: Number(eventMs),
    day: text(day) ?? '',
    eventId: text(eventId) ?? '',
    eventType: text(eventType),
    agentId: text(agentId),
    host: text(host),
    table: text(table) ?? '',
    column: text(column) ?? '',
    value: text(value) ?? '',
  };
}
