export { writeArrowTables } from './parquetjs-writer.ts';
export { type StageOptions, stageBatch } from './stage-batch.ts';
