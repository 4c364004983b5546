import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import {
  type ColumnSpec,
  type Dataset,
  idHashSql,
  queriedType,
  quoteName,
  quoteText,
  type StagedBatch,
  stagedType,
  type TableSpec,
} from '@edrlake/core';
import type { Lake } from '@edrlake/lake';

/** Whole numbers from a seed. */
export type Draw = (below: number) => number;

/** The same numbers for the same seed. */
export function drawing(seed: number): Draw {
  let state = seed >>> 0 || 1;
  return (below) => {
    // xorshift32
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % below;
  };
}

const TYPES = ['FILE', 'PROCESS', 'NETWORK', 'REGISTRY', 'MUTEX', 'AMSI', 'file', null];
const TEXTS = [
  ...['CREATED', 'Created', 'RUNNING', 'TERMINATED', 'MODIFIED', 'DELETED', 'LISTENING', 'Unknown', 'Other', 'Create'],
  ...['WINDOWS', 'Windows', 'LINUX', 'MAC', 'SERVER', 'WORKSTATION', 'FILE', 'DIRECTORY', 'System', 'High', 'true'],
  ...['10.0.0.1', '10.0.0.256', '::1', 'fe80::1%eth0', '2001:db8::8a2e:370:7334', 'a:b', '00:1A:2b:3c:4d:5e'],
  ...[
    'host.example.org',
    'host_name',
    '-host',
    'HOST',
    'C:\\Windows\\a.dll',
    '/usr/bin/x',
    'C:\\Windows\\',
    'x.tar.gz',
  ],
  ...['', ' ', 'null', '{"a":1}', "it's", '"quoted"', 'tab\tline\n', 'ümläut 漢字 🦆', '#absent'],
  ...['684475093x4x806350x80xxxx3x11332', '0'.repeat(65), '-3836563445362934026', 'a'.repeat(70_000)],
];
const JSONS = [
  ...['{}', '[]', 'null', '"text"', '{"key":"HKLM\\\\Run","value":"Start","data":3}', '{"key":"HKLM\\\\Run"}'],
  ...['{"name":"\\\\Sessions\\\\1"}', '{"name":null}', '{"remotePort":443,"protocol":"TCP"}', '{"remotePort":99999}'],
  ...['{"keyName":"HKCU","valueName":"","data":{"a":[1,2]}}', '{"a":{"b":"\\u00e4"}}'],
];
const BIGINTS = ['0', '1', '1612', '-1', '2147483647', '2147483648', '9223372036854775807', '-9223372036854775808'];
const TIMES = ['1970-01-01 00:00:00', '2020-08-17 04:15:06.123', '9999-12-31 23:59:59.999', '1601-01-01 00:00:00'];

function randomValue({ name, type }: ColumnSpec, draw: Draw): unknown {
  if (draw(3) === 0) return null;
  if (name === 'event_type') return TYPES[draw(TYPES.length)];
  if (name === 'indicator_set') return `indicator${1 + draw(2)}`;
  if (type === 'text') return TEXTS[draw(TEXTS.length - (draw(50) === 0 ? 0 : 1))];
  if (type === 'json') return JSONS[draw(JSONS.length)];
  if (type === 'bigint') return BIGINTS[draw(BIGINTS.length)];
  if (type === 'integer') return draw(14) - 1;
  if (type === 'boolean') return draw(2) === 0;
  return draw(8) === 0 ? '2020-08-17 04:15:06.123456' : TIMES[draw(TIMES.length)];
}

/** Rows by table, with values as text. */
export type Rows = ReadonlyMap<string, readonly Record<string, unknown>[]>;

/** Rows of all tables of events, with values that are usual, and values that no attribute takes. */
export function randomRows(dataset: Dataset, count: number, draw: Draw, { day = '2020-08-17', first = 0 } = {}): Rows {
  const rows: Map<string, Record<string, unknown>[]> = new Map(dataset.tables.map(({ name }) => [name, []]));
  for (let nth = first; nth < first + count; nth += 1) {
    const ms = Date.parse(`${day}T00:00:00Z`) + draw(86_400_000);
    const key = {
      event_date: day,
      event_id: draw(10) === 0 ? `${nth} 'ü"` : `RTF_${nth}_-38365`,
      event_time: new Date(ms).toISOString().slice(0, -1).replace('T', ' '),
    };
    const agent = draw(10) === 0 ? null : `agent-${draw(50)}`;
    for (const table of dataset.tables) {
      if (table.partitionBy !== 'event_date') continue;
      const elements = table.arrays === null ? 1 : draw(3) === 0 ? draw(5) : 0;
      for (let position = 0; position < elements; position += 1) {
        const values = table.columns.map((column) => [column.name, randomValue(column, draw)] as const);
        const isWhole = draw(4) > 0;
        const usual = isWhole && table.arrays === null ? usualValues(draw) : {};
        rows.get(table.name)?.push({
          ...Object.fromEntries(values),
          ...usual,
          ...key,
          ...(table.arrays === null ? {} : { position: draw(20) === 0 ? position + 7 : position }),
          ...(table.columns.some(({ name }) => name === 'agent_id') ? { agent_id: agent } : {}),
          ...(table.name === 'interfaces' && draw(30) === 0 ? { agent_id: 'another' } : {}),
        });
      }
    }
  }
  return rows;
}

function usualValues(draw: Draw): Record<string, unknown> {
  return {
    actor_process_id: String(1 + draw(60_000)),
    file_name: `file${draw(100)}.dll`,
    process_id: String(1 + draw(60_000)),
    ...(draw(4) === 0 ? {} : { network_remote_ip: '93.184.216.34' }),
    registry: draw(2) === 0 ? '{"key":"HKLM\\\\Run"}' : '{"key":"HKLM\\\\Run","value":"Start","data":3}',
    mutex: '{"name":"\\\\Sessions\\\\1"}',
    customer_id: `customer-${draw(3)}`,
  };
}

/** A DuckDB with the rows as the views of a lake show them. The caller closes it. */
export async function tablesOf(
  dataset: Dataset,
  rows: Rows,
  directory: string,
): Promise<{ readonly connection: DuckDBConnection; readonly close: () => void }> {
  const instance = await DuckDBInstance.create(':memory:');
  const connection = await instance.connect();
  for (const table of dataset.tables) {
    await createTable(connection, table, rows.get(table.name) ?? [], directory, quoteName(table.name), (column) =>
      column.type === 'timestamp'
        ? `make_timestamptz(epoch_us(${quoteName(column.name)}::TIMESTAMP))`
        : `${quoteName(column.name)}::${queriedType(column.type)}`,
    );
  }
  return {
    connection,
    close: () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
}

let batches = 0;

/** Commits the rows to a lake as one batch. */
export async function commitRows(lake: Lake, rows: Rows, directory: string): Promise<void> {
  const connection = await lake.connect();
  batches += 1;
  const name = (table: string) => `batch_${batches}_${table}`;
  const hash = idHashSql('event_id');
  for (const table of lake.dataset.tables) {
    await createTable(
      connection,
      table,
      rows.get(table.name) ?? [],
      directory,
      name(table.name),
      (column) => `${quoteName(column.name)}::${stagedType(column.type)}`,
    );
    await connection.run(`ALTER TABLE ${name(table.name)} ADD COLUMN id_hash UBIGINT`);
    await connection.run(`UPDATE ${name(table.name)} SET id_hash = ${hash}`);
  }
  await connection.run(
    `CREATE TEMP TABLE ${name('identity')} AS SELECT event_id, event_date, processed_time, id_hash, hash(t) AS content_hash FROM ${name('events')} t`,
  );
  const batch: StagedBatch = {
    identityTable: name('identity'),
    rowTables: Object.fromEntries(lake.dataset.tables.map((table) => [table.name, name(table.name)])),
    windows: [],
    otherVersions: [],
    unknownFields: [],
    rejectReasons: [],
  };
  try {
    await lake.commit({ batch, proofs: [], runId: `batch ${batches}` });
  } finally {
    for (const table of [batch.identityTable, ...Object.values(batch.rowTables)]) {
      await connection.run(`DROP TABLE ${table}`);
    }
  }
}

async function createTable(
  connection: DuckDBConnection,
  table: TableSpec,
  rows: readonly Record<string, unknown>[],
  directory: string,
  name: string,
  valueSql: (column: ColumnSpec) => string,
): Promise<void> {
  const file = join(directory, `${table.name}.ndjson`);
  await writeFile(file, rows.map((row) => `${JSON.stringify(row)}\n`).join(''));
  const columns = table.columns.map((column) => `${quoteName(column.name)}: 'VARCHAR'`).join(', ');
  const values = table.columns.map((column) => `${valueSql(column)} AS ${quoteName(column.name)}`);
  await connection.run(
    `CREATE TEMP TABLE ${name} AS SELECT ${values.join(', ')} FROM read_json(${quoteText(file)}, format = 'newline_delimited', columns = {${columns}}, maximum_object_size = 100000000)`,
  );
}
