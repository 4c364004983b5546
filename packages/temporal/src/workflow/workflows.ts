// The entry of what runs inside Temporal: each function is a workflow, by its name.
export { edrlakeBackfill } from './backfill-workflow.ts';
export { edrlakeRun } from './run-workflow.ts';
export { edrlakeScheduled } from './scheduled-workflow.ts';
