import { pipelineDefiner } from '../workflow/definition/define-pipeline.ts';
import type { BuiltInTypes } from './task-types.ts';

/**
 * Defines a pipeline of built-in tasks and your own functions; a pipeline file exports the result by default. Types
 * check the input and output of tasks; the rest is checked before a run starts.
 */
export const definePipeline = pipelineDefiner<BuiltInTypes>();
