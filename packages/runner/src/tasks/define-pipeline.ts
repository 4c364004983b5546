import { pipelineDefiner } from '../workflow/definition/define-pipeline.ts';
import type { BuiltInTypes } from './task-types.ts';

/**
 * Defines a pipeline of built-in tasks and your own functions; a pipeline file exports the result by default. Types
 * check the input and output of tasks; the rest is checked before a run starts. Params of type `day` are UTC days.
 * @example
 * const weekly = definePipeline({
 *   name: 'weekly',
 *   params: { from: { type: 'day', meaning: 'first day', default: '2020-08-17' } },
 *   tasks: {
 *     fetch: { uses: 'backfill', with: ({ params }) => ({ from: params.from, to: '2020-08-18' }) },
 *     report: {
 *       needs: ['fetch'],
 *       run: async ({ outputs }) => ({ sentence: `the export is ${outputs.fetch.outcome}` }),
 *     },
 *   },
 * });
 * const { state } = await runPipeline(lake, source, weekly);
 */
export const definePipeline = pipelineDefiner<BuiltInTypes>();
