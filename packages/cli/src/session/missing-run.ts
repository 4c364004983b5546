import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { lakeAddress, lakeDirectory } from './lake-access.ts';

/**
 * Adds where the journal of a run was looked for, and what to do, to the error that there is none: of a lake in an
 * object store only the machine that ran it has it. Any other error is returned as it is.
 */
export function missingHere(
  thrown: unknown,
  values: FlagValues,
  context: Pick<ProcessContext, 'env' | 'workingDirectory'>,
): unknown {
  const address = lakeAddress(values);
  if (address === null || !(thrown instanceof EdrlakeError) || thrown.code !== 'RUN_MISSING') return thrown;
  const runsDirectory = join(lakeDirectory(values, context), '_runs');
  return new EdrlakeError('RUN_MISSING', `${thrown.message}; journals were looked for in ${runsDirectory}`, {
    cause: thrown,
    context: { ...thrown.context, runsDirectory },
    hint: `A run of a lake in an object store is journaled by the machine where it began: go on with it there, with the same --work. Here begin a new one, such as: edrlake run nightly. It fetches only what is not committed in ${address.text} yet.`,
  });
}
