import { DATASET_NAMES } from '@edrlake/datasets/names';
import { choiceFlag, optionalFlag, readMemorySize, readText, valueFlag, wholeNumber, wordsText } from './flag-kinds.ts';

/** Where the lake is, what it holds, what computes with it, and what this machine keeps of one in an object store. */
export const LAKE_FLAGS = {
  lake: valueFlag({
    group: 'Lake',
    valueName: 'DIR',
    describe: 'Directory of the lake, or s3://BUCKET/PREFIX',
    expected: 'a directory or an address such as s3://bucket/prefix',
    read: readText,
    byDefault: './lake',
  }),
  work: optionalFlag({
    group: 'Lake',
    valueName: 'DIR',
    describe: 'Of an s3:// lake: unfinished work and copies',
    expected: 'a directory',
    read: readText,
    defaultText: '~/.local/state/edrlake/…',
  }),
  cache: valueFlag({
    group: 'Lake',
    valueName: 'SIZE',
    describe: 'Of an s3:// lake: disk for copies of its files',
    expected: 'a size of at least 300MB, such as 20GB',
    read: readMemorySize,
    byDefault: '20GB',
  }),
  encryption: optionalFlag({
    group: 'Lake',
    valueName: 'HOW',
    describe: 'Of an s3:// lake: AES256, aws:kms or a key id',
    expected: 'AES256, aws:kms or the id or ARN of a KMS key',
    read: readText,
  }),
  reads: choiceFlag({
    group: 'Lake',
    valueName: 'HOW',
    describe: 'Of an s3:// lake, in queries: auto, copies or httpfs of DuckDB',
    choices: ['auto', 'copies', 'httpfs'],
    byDefault: 'auto',
  }),
  httpfs: optionalFlag({
    group: 'Lake',
    valueName: 'FILE',
    describe: "Of an s3:// lake: DuckDB's extension httpfs",
    expected: 'the path of a file httpfs.duckdb_extension',
    read: readText,
    defaultText: 'where DuckDB installs it',
  }),
  dataset: choiceFlag({
    group: 'Lake',
    valueName: 'NAME',
    describe: `Events: ${wordsText(DATASET_NAMES)}`,
    choices: DATASET_NAMES,
    byDefault: DATASET_NAMES[0],
  }),
  'memory-limit': valueFlag({
    group: 'Lake',
    valueName: 'SIZE',
    describe: 'Memory DuckDB may use, at least 300MB',
    expected: 'a size of at least 300MB, such as 512MB or 2GiB',
    read: readMemorySize,
    byDefault: '512MB',
  }),
  threads: optionalFlag({
    group: 'Lake',
    valueName: 'N',
    describe: 'Threads DuckDB may use',
    expected: 'a whole number from 1 to 256',
    read: wholeNumber(1, 256),
    defaultText: 'one per core',
  }),
  writer: choiceFlag({
    group: 'Lake',
    valueName: 'NAME',
    describe: 'duckdb, or parquetjs: no native code',
    choices: ['duckdb', 'parquetjs'],
    byDefault: 'duckdb',
  }),
};
