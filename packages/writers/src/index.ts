export { copyToParquet } from './copy-parquet.ts';
export { writeStagedRows } from './write-staged-rows.ts';
