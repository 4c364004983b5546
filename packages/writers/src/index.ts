export { type StageOptions, stageBatch } from './stage-batch.ts';
