import { queriedType, type TableSpec } from '@edrlake/core';
import type { LoggedFile, S3Settings } from '@edrlake/lake';
import type { Reader } from '../args/options.ts';

/** The version of a lake that is to be read. */
export interface ConnectSource {
  /** Absolute path of the lake, or `s3://bucket/prefix`. */
  readonly address: string;
  readonly version: number;
  readonly tables: readonly TableSpec[];
  readonly files: Readonly<Record<string, readonly LoggedFile[]>>;
  /** How the object store is reached; null for a lake on a disk. Credentials are never printed. */
  readonly s3: S3Settings | null;
}

/**
 * What to paste to read a lake from elsewhere. In an object store the files of the version are named one by one:
 * replaced ones stay beside them until a vacuum, so that a pattern would find rows twice. Ends with a line break.
 */
export function connectText(source: ConnectSource, reader: Reader): string {
  const lines = source.s3 === null ? LOCAL[reader](source) : REMOTE[reader](source, source.s3);
  return `${lines.join('\n')}\n`;
}

const LOCAL: Readonly<Record<Reader, (source: ConnectSource) => string[]>> = {
  duckdb: ({ address }) => [`ATTACH ${sqlText(`${address}/lake.duckdb`)} AS lake (READ_ONLY);`, 'USE lake;'],
  python: ({ address }) => [
    'import duckdb',
    `lake = duckdb.connect(${pythonText(`${address}/lake.duckdb`)}, read_only=True)`,
    'events = lake.sql("from events")',
  ],
  spark: ({ address, tables }) => [
    'from pyspark.sql import SparkSession',
    'spark = SparkSession.builder.config("spark.sql.session.timeZone", "UTC").getOrCreate()',
    ...tables.map(({ name }) => `${name} = spark.read.parquet(${pythonText(`${address}/${name}`)})`),
  ],
};

const REMOTE: Readonly<Record<Reader, (source: ConnectSource, s3: S3Settings) => string[]>> = {
  duckdb: (source, s3) => [versionNote(source, '--'), ...secretSql(s3), ...viewsSql(source)],
  python: (source, s3) => [
    versionNote(source, '#'),
    'import duckdb',
    'lake = duckdb.connect()',
    'lake.execute("""',
    ...secretSql(s3),
    ...viewsSql(source),
    '""")',
    'events = lake.sql("from events")',
  ],
  spark: (source, s3) => [
    versionNote(source, '#'),
    'from pyspark.sql import SparkSession',
    `spark = (SparkSession.builder.config("spark.sql.session.timeZone", "UTC")${sparkS3(s3)}.getOrCreate())`,
    ...filledTables(source).map(({ name }) => {
      const paths = filesOf(source, name).map((path) => pythonText(path.replace(/^s3:/, 's3a:')));
      const base = pythonText(`${source.address.replace(/^s3:/, 's3a:')}/${name}`);
      return `${name} = spark.read.option("basePath", ${base}).parquet(${paths.join(', ')})`;
    }),
  ],
};

function versionNote({ address, version }: ConnectSource, comment: string): string {
  return `${comment} ${address} at version ${version}; print this again to see later versions.`;
}

/** The credentials are those of the machine that reads. */
function secretSql({ endpoint, region }: S3Settings): string[] {
  const options = ['TYPE s3', 'PROVIDER credential_chain', ...(region ? [`REGION ${sqlText(region)}`] : [])];
  if (endpoint !== undefined) {
    const { host, protocol } = new URL(endpoint);
    options.push(`ENDPOINT ${sqlText(host)}`, "URL_STYLE 'path'", `USE_SSL ${protocol === 'https:'}`);
  }
  return [
    'INSTALL httpfs; LOAD httpfs; INSTALL aws; LOAD aws;',
    `CREATE OR REPLACE SECRET edrlake (${options.join(', ')});`,
  ];
}

function viewsSql(source: ConnectSource): string[] {
  return filledTables(source).map(({ name, partitionBy, columns }) => {
    const files = filesOf(source, name).map(sqlText);
    const json = columns
      .filter(({ type }) => type === 'json')
      .map((column) => `"${column.name}"::JSON AS "${column.name}"`);
    const rows = `SELECT *${json.length === 0 ? '' : ` REPLACE (${json.join(', ')})`}`;
    const types = `hive_types = {${partitionBy}: ${queriedType('date')}}`;
    return `CREATE OR REPLACE VIEW ${name} AS ${rows} FROM read_parquet([${files.join(', ')}], hive_partitioning = true, ${types}, union_by_name = true);`;
  });
}

function sparkS3({ endpoint, region }: S3Settings): string {
  const settings: [string, string][] = [];
  if (region) settings.push(['spark.hadoop.fs.s3a.endpoint.region', region]);
  if (endpoint !== undefined) {
    settings.push(['spark.hadoop.fs.s3a.endpoint', endpoint], ['spark.hadoop.fs.s3a.path.style.access', 'true']);
  }
  return settings.map(([name, value]) => `.config(${pythonText(name)}, ${pythonText(value)})`).join('');
}

function filledTables({ tables, files }: ConnectSource): readonly TableSpec[] {
  return tables.filter(({ name }) => (files[name] ?? []).length > 0);
}

function filesOf({ address, files }: ConnectSource, table: string): string[] {
  return (files[table] ?? []).map(({ path }) => `${address}/${path}`);
}

function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}

function pythonText(text: string): string {
  return JSON.stringify(text);
}
