export {
  copyToParquet,
  FILE_FORMAT,
  type FieldIds,
  type FileShape,
  type WrittenFile,
  writeSortedRun,
} from './copy-parquet.ts';
export { writeStagedRows } from './write-staged-rows.ts';
