export { copyToParquet, FILE_FORMAT, type FieldIds } from './copy-parquet.ts';
export { writeStagedRows } from './write-staged-rows.ts';
