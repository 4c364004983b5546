// Prints as JSON what hyparquet finds in the lakes below the current folder, in the form of `read_lake.py`. Arguments:
// the call that reads the file `path`, and the folders that hold a lake.
import { createHash } from 'node:crypto';
import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { asyncBufferFromFile, parquetReadObjects } from 'hyparquet';
import { compressors } from 'hyparquet-compressors';

const TABLES = ['events', 'certificates', 'indicators', 'interfaces', 'asset_tags'];
const INSTANT = Date.UTC(2020, 7, 18);

const md5 = (text) => createHash('md5').update(text).digest('hex');
/** By code point, as Python does it. */
const sorted = (texts) => texts.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

/** A value as text; null for NULL. Times are microseconds since 1970, of which hyparquet gives whole milliseconds. */
function textOf(value) {
  if (value === null || value === undefined) return null;
  return String(value instanceof Date ? value.getTime() * 1000 : value);
}

function typeOf(values) {
  const value = values.find((each) => each !== null && each !== undefined);
  if (value === undefined) return 'unknown';
  if (value instanceof Date) return 'instant';
  return { bigint: 'int64', number: 'int32', string: 'string', boolean: 'bool' }[typeof value] ?? typeof value;
}

/** @param call JavaScript with `path`, as README has it */
async function rowsOf(call, folder) {
  const AsyncFunction = rowsOf.constructor;
  const read = new AsyncFunction('parquetReadObjects', 'asyncBufferFromFile', 'compressors', 'path', `return ${call}`);
  const rows = [];
  for (const name of readdirSync(folder, { recursive: true }).filter((each) => each.endsWith('.parquet'))) {
    const event_date = name.slice('event_date='.length, 'event_date='.length + '2020-08-17'.length);
    const found = await read(parquetReadObjects, asyncBufferFromFile, compressors, join(folder, name));
    for (const row of found) rows.push({ ...row, event_date });
  }
  return rows;
}

async function found(call, lake) {
  const tables = {};
  for (const table of TABLES) {
    const rows = await rowsOf(call, join(lake, table));
    const names = [...new Set(rows.flatMap(Object.keys))].toSorted();
    const columns = names.map((name) => rows.map((row) => textOf(row[name])));
    const each = (of) => Object.fromEntries(names.map((name, at) => [name, of(name, columns[at])]));
    tables[table] = {
      rows: rows.length,
      types: each((name) => typeOf(rows.map((row) => row[name]))),
      digests: each((_, values) => md5(sorted(values.map((value) => JSON.stringify(value))).join('\n'))),
      rowDigest: md5(JSON.stringify(sorted(rows.map((_, at) => JSON.stringify(columns.map((values) => values[at])))))),
    };
  }
  const events = await rowsOf(call, join(lake, 'events'));
  const sum = (name) => events.reduce((total, row) => total + Number(row[name] ?? 0), 0);
  const nulls = (name) => events.filter((row) => row[name] === null || row[name] === undefined).length;
  const days = events.map((row) => row.event_date);
  return {
    tables,
    ids: md5(sorted(events.map((row) => row.event_id)).join('\n')),
    fileSizes: sum('file_size'),
    scores: sum('score'),
    nulls: Object.fromEntries(['score', 'file_sha256', 'file_size', 'process_id'].map((name) => [name, nulls(name)])),
    days: Object.fromEntries([...new Set(days)].map((day) => [day, days.filter((each) => each === day).length])),
    since: events.filter((row) => row.event_time >= new Date(INSTANT)).length,
  };
}

const [call, ...layouts] = process.argv.slice(2);
// As Python's %Z says it.
const zone = { UTC: 'UTC', 'America/New_York': 'EDT', 'Asia/Tokyo': 'JST' }[
  new Intl.DateTimeFormat().resolvedOptions().timeZone
];
const answers = [];
for (const layout of layouts) answers.push({ zone, layout, calls: { [call]: await found(call, `${layout}/lake`) } });
process.stdout.write(JSON.stringify({ duckdb: null, answers }));
