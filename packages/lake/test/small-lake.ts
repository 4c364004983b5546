import type { DuckDBConnection } from '@duckdb/node-api';
import {
  type Clock,
  type ColumnSpec,
  type ColumnType,
  type Dataset,
  dayOf,
  idHash,
  idHashSql,
  NO_FILTER,
  type Observable,
  type OwnedRow,
  quoteName,
  quoteText,
  type RowBatch,
  type RowIdentity,
  type StagedBatch,
  systemClock,
  type TableSpec,
  type WindowFilter,
  type WindowProof,
  windowOf,
} from '@edrlake/core';
import type { Lake, LakeOptions } from '../src/index.ts';

/** What can be hunted in them. */
const OBSERVABLES: Readonly<Record<string, Observable>> = {
  'events.event_id': 'event',
  'events.event_type': 'domain',
  'events.agent_id': 'host',
  'certificates.issuer': 'ip',
};

/** The tables of a small lake: events, one child table, rejects. */
export const SMALL_TABLES: readonly TableSpec[] = [
  table('events', 'event_date', [
    ['event_date', 'date'],
    ['event_id', 'text'],
    ['event_time', 'timestamp'],
    ['processed_time', 'timestamp'],
    ['event_type', 'text'],
    ['agent_id', 'text'],
    ['score', 'integer'],
    ['extra', 'json'],
  ]),
  table('certificates', 'event_date', [
    ['event_date', 'date'],
    ['event_id', 'text'],
    ['event_time', 'timestamp'],
    ['position', 'integer'],
    ['issuer', 'text'],
  ]),
  table('rejects', 'ingest_date', [
    ['ingest_date', 'date'],
    ['window_id', 'text'],
    ['reason', 'text'],
    ['event_id', 'text'],
    ['event_time', 'timestamp'],
    ['processed_time', 'timestamp'],
    ['record', 'json'],
  ]),
];

export function table(
  name: string,
  partitionBy: TableSpec['partitionBy'],
  columns: readonly (readonly [string, ColumnType])[],
): TableSpec {
  const specs: ColumnSpec[] = columns.map(([column, type]) => {
    const observable = partitionBy === 'event_date' ? OBSERVABLES[`${name}.${column}`] : undefined;
    const paths = column === 'event_type' ? ['type'] : [];
    return { name: column, paths, type, meaning: column, ...(observable !== undefined && { observable }) };
  });
  return { name, arrays: null, columns: specs, partitionBy, sortBy: columns.slice(0, 3).map(([column]) => column) };
}

/** An event in a test. */
export interface SmallEvent {
  readonly id: string;
  readonly timeMs: number;
  readonly processedMs?: number;
  readonly score?: number | null;
  readonly type?: string;
  readonly agent?: string;
  readonly issuers?: readonly string[];
  /** Part of the delivered record that no column takes. */
  readonly noise?: string;
  /** JSON text of the column `extra`. */
  readonly extra?: string;
}

/** A record that became a reject, alone or with the id and times that could be read. */
export type SmallReject =
  | string
  | {
      readonly record: unknown;
      readonly reason?: string;
      readonly id?: string;
      readonly timeMs?: number | null;
      readonly processedMs?: number | null;
    };

export const DAY_1 = Date.parse('2020-08-17T00:00:00Z');
export const HOUR = 3_600_000;
export const DAY = 24 * HOUR;
/** When proofs were made unless a test says otherwise: long after the days they are about. */
export const VERIFIED_MS = DAY_1 + 30 * DAY;

/** More child tables, as an event of EDR has: the rows of `certificates` whose issuer is not `x`. */
export const FURTHER_CHILDREN: readonly TableSpec[] = ['indicators', 'interfaces', 'asset_tags'].map((name) =>
  table(
    name,
    'event_date',
    ['event_date:date', 'event_id:text', 'event_time:timestamp', 'position:integer', 'issuer:text'].map(
      (column) => column.split(':') as [string, ColumnType],
    ),
  ),
);

let batches = 0;

/** Stages rows as the flattener does, from plain objects. `tables` has the columns of the lake that is opened. */
export async function stage(
  connection: DuckDBConnection,
  events: readonly SmallEvent[],
  rejects: readonly SmallReject[] = [],
  tables: readonly TableSpec[] = SMALL_TABLES,
): Promise<StagedBatch> {
  batches += 1;
  const name = (suffix: string) => `batch_${batches}_${suffix}`;
  const time = (ms: number) => `epoch_ms(${ms})`;
  const eventRows = events.map((event) => {
    const { id, timeMs, processedMs = timeMs, score = null, type = 'FILE', agent = 'a1', extra } = event;
    const json = extra === undefined ? 'NULL::JSON' : `${quoteText(extra)}::JSON`;
    const content = quoteText(JSON.stringify(event));
    return `(DATE ${quoteText(dayOf(timeMs))}, ${quoteText(id)}, ${time(timeMs)}, ${time(processedMs)}, ${quoteText(type)}, ${quoteText(agent)}, ${score ?? 'NULL::INTEGER'}, ${json}, ${idHashSql(quoteText(id))}, hash(${content}))`;
  });
  const childRows = events.flatMap(({ id, timeMs, issuers = [] }) =>
    issuers.map(
      (issuer, position) =>
        `(DATE ${quoteText(dayOf(timeMs))}, ${quoteText(id)}, ${time(timeMs)}, ${position}, ${quoteText(issuer)}, ${idHashSql(quoteText(id))})`,
    ),
  );
  const rejectRows = rejects.map((reject) => {
    const given: Exclude<SmallReject, string> = typeof reject === 'string' ? { record: reject } : reject;
    const { record, id, timeMs = null, processedMs = timeMs, reason = 'no id' } = given;
    const times = [timeMs, processedMs].map((ms) => (ms === null ? 'NULL::TIMESTAMP' : time(ms))).join(', ');
    const text = quoteText(JSON.stringify(record));
    return `(DATE '2026-11-22', 'w', ${quoteText(reason)}, ${id === undefined ? 'NULL::VARCHAR' : quoteText(id)}, ${times}, ${text}::JSON, ${idHashSql(quoteText(`${JSON.stringify(record)}#1`))}, hash(${text}))`;
  });
  await makeTable(
    connection,
    name('events'),
    'event_date, event_id, event_time, processed_time, event_type, agent_id, score, extra, id_hash, content_hash',
    eventRows,
  );
  await makeTable(
    connection,
    name('certificates'),
    'event_date, event_id, event_time, position, issuer, id_hash',
    childRows,
  );
  await makeTable(
    connection,
    name('rejects'),
    'ingest_date, window_id, reason, event_id, event_time, processed_time, record, id_hash, content_hash',
    rejectRows,
  );
  for (const { name: child } of tables.filter((spec) => FURTHER_CHILDREN.includes(spec))) {
    await connection.run(`CREATE TEMP TABLE ${name(child)} AS FROM ${name('certificates')} WHERE issuer <> 'x'`);
  }
  for (const spec of tables.filter((each) => !FURTHER_CHILDREN.includes(each))) {
    const known = new Set(SMALL_TABLES.find((small) => small.name === spec.name)?.columns.map((column) => column.name));
    for (const column of spec.columns.filter((candidate) => !known.has(candidate.name))) {
      await connection.run(
        `ALTER TABLE ${name(spec.name)} ADD COLUMN ${quoteName(column.name)} VARCHAR DEFAULT 'added'`,
      );
    }
  }
  await connection.run(
    `CREATE TEMP TABLE ${name('identity')} AS SELECT event_id, event_date, processed_time, id_hash, content_hash FROM ${name('events')} UNION ALL SELECT NULL, ingest_date, NULL, id_hash, content_hash FROM ${name('rejects')}`,
  );
  const rowTables = Object.fromEntries(tables.map((spec) => [spec.name, name(spec.name)]));
  return {
    identityTable: name('identity'),
    rowTables,
    windows: [],
    otherVersions: [],
    unknownFields: [],
    rejectReasons: [],
  };
}

/** The same events as rows of this process, for a lake of the portable writer. */
export function rowBatchOf(events: readonly SmallEvent[]): RowBatch {
  const dayNumber = (timeMs: number) => Math.floor(timeMs / DAY);
  const identities = events.map((event): RowIdentity => {
    const { id, timeMs, processedMs = timeMs } = event;
    const contentHash = idHash(JSON.stringify(event));
    return { eventId: id, day: dayNumber(timeMs), processedMs, idHash: idHash(id), contentHash };
  });
  const eventRows = events.map((event): OwnedRow => {
    const { id, timeMs, processedMs = timeMs, score = null, type = 'FILE', agent = 'a1', extra = null } = event;
    return { idHash: idHash(id), row: [dayNumber(timeMs), id, timeMs, processedMs, type, agent, score, extra] };
  });
  const certificates = events.flatMap(({ id, timeMs, issuers = [] }) =>
    issuers.map((issuer, position): OwnedRow => {
      return { idHash: idHash(id), row: [dayNumber(timeMs), id, timeMs, position, issuer] };
    }),
  );
  const rows = { events: eventRows, certificates, rejects: [] };
  return { identities, rows, windows: [], otherVersions: [], unknownFields: [], rejectReasons: [] };
}

const TYPES: Readonly<Record<string, string>> = {
  event_date: 'DATE',
  ingest_date: 'DATE',
  event_time: 'TIMESTAMP',
  processed_time: 'TIMESTAMP',
  score: 'INTEGER',
  position: 'INTEGER',
  extra: 'JSON',
  record: 'JSON',
  id_hash: 'UBIGINT',
  content_hash: 'UBIGINT',
};

async function makeTable(connection: DuckDBConnection, name: string, columns: string, rows: readonly string[]) {
  const typed = columns.split(', ').map((column) => `${column} ${TYPES[column] ?? 'VARCHAR'}`);
  await connection.run(`CREATE TEMP TABLE ${name} (${typed.join(', ')})`);
  for (let first = 0; first < rows.length; first += 500) {
    await connection.run(`INSERT INTO ${name} VALUES ${rows.slice(first, first + 500).join(', ')}`);
  }
}

/** A proof of a window whose events are given; proven unless said otherwise. */
export function proofOf(
  [startMs, endMs]: readonly [number, number],
  perDay: Readonly<Record<string, number>>,
  more: {
    readonly cuts?: readonly WindowFilter[];
    readonly filter?: string;
    readonly missing?: number;
    readonly rejected?: number;
    readonly rejectedPerDay?: Readonly<Record<string, number>>;
    readonly axis?: 'event' | 'processed';
    readonly atMs?: number;
  } = {},
): WindowProof {
  const {
    cuts = [],
    filter = null,
    missing = 0,
    rejected = 0,
    rejectedPerDay = {},
    axis = 'event',
    atMs = VERIFIED_MS,
  } = more;
  const scope = filter === null ? NO_FILTER : { filter, state: null };
  const window = windowOf({ axis, range: { startMs, endMs }, cuts, scope });
  const rows = Object.values(perDay).reduce((sum, count) => sum + count, 0);
  const fetched = rows + rejected;
  const verdict = missing === 0 ? 'proven' : 'mismatch';
  const counted = fetched + missing;
  return { window, counted, fetched, distinct: rows, rejected, perDay, rejectedPerDay, verdict, verifiedAtMs: atMs };
}

/** The proof of all days from the first on which exactly these events were found. */
export function proofOfDays(firstDayMs: number, days: number, events: readonly SmallEvent[], missing = 0): WindowProof {
  const perDay: Record<string, number> = {};
  for (const { timeMs } of events) perDay[dayOf(timeMs)] = (perDay[dayOf(timeMs)] ?? 0) + 1;
  return proofOf([firstDayMs, firstDayMs + days * DAY], perDay, { missing });
}

/** The lake of a dataset that lakes did not record in the beginning, as that of the shipped one. */
export const SMALL_DATASET: Dataset = {
  name: 'small',
  tables: SMALL_TABLES,
  leftovers: [],
  wrapperMembers: [],
  unnamedLakes: true,
};

export const SMALL_OPTIONS: Omit<LakeOptions, 'directory'> = {
  dataset: SMALL_DATASET,
  clock: systemClock satisfies Clock,
  emit: () => {},
  threads: 2,
  create: true,
  readOnly: false,
};

/** Commits events as one batch. A lake of the portable writer takes no rejects and no other tables here. */
export async function deliver(
  lake: Lake,
  events: readonly SmallEvent[],
  more: {
    readonly proofs?: readonly WindowProof[];
    readonly rejects?: readonly SmallReject[];
    readonly replace?: boolean;
    readonly tables?: readonly TableSpec[];
  } = {},
) {
  const { proofs = [], replace = false } = more;
  if (lake.writer === 'parquetjs') {
    return lake.commit({ batch: rowBatchOf(events), proofs, runId: 'test', replace });
  }
  const connection = await lake.connect();
  const batch = await stage(connection, events, more.rejects, more.tables);
  try {
    return await lake.commit({ batch, proofs, runId: 'test', replace });
  } finally {
    for (const name of [batch.identityTable, ...Object.values(batch.rowTables)]) {
      await connection.run(`DROP TABLE ${quoteName(name)}`);
    }
  }
}
