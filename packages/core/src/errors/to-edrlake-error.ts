import { isDiskError, unwritable } from './disk-error.ts';
import { EdrlakeError } from './errors.ts';
import { isMemoryError, outOfMemory } from './memory-error.ts';

/**
 * Any thrown value as an `EdrlakeError`. Aborts become `INTERRUPTED`, errors of the file system `LAKE_UNWRITABLE`, lack
 * of memory `OUT_OF_MEMORY`; all others become `BUG`.
 */
export function toEdrlakeError(thrown: unknown): EdrlakeError {
  if (thrown instanceof EdrlakeError) return thrown;
  if (isAbortError(thrown)) {
    const reason = thrown instanceof Error && thrown.cause instanceof EdrlakeError ? thrown.cause : null;
    return reason ?? new EdrlakeError('INTERRUPTED', 'stopped before the end', { cause: thrown });
  }
  if (isDiskError(thrown)) return unwritable(thrown.path ?? `to the disk (${thrown.syscall})`, thrown);
  if (thrown instanceof Error && isMemoryError(thrown)) return outOfMemory(thrown);
  const message = thrown instanceof Error ? thrown.message : String(thrown);
  return new EdrlakeError('BUG', message, { cause: thrown, hint: 'Please report this with the run id.' });
}

function isAbortError(thrown: unknown): boolean {
  return (
    thrown instanceof Error && (thrown.name === 'AbortError' || (thrown as { code?: unknown }).code === 'ABORT_ERR')
  );
}
