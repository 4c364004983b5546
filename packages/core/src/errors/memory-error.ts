import { EdrlakeError } from './errors.ts';

/** The messages of DuckDB, and of the C++ library below it. */
const PATTERN = /\bOut of Memory\b|failed to (?:allocate|pin block|offload)|std::bad_alloc/i;

/**
 * Whether memory was lacking, as DuckDB throws it or as an `EdrlakeError`. It says nothing about a file or the disk.
 */
export function isMemoryError(thrown: unknown): boolean {
  if (thrown instanceof EdrlakeError) return thrown.code === 'OUT_OF_MEMORY';
  return thrown instanceof Error && PATTERN.test(thrown.message);
}

/** The `OUT_OF_MEMORY` of a computation. */
export function outOfMemory(thrown: Error): EdrlakeError {
  const [what = ''] = thrown.message.split('\n');
  return new EdrlakeError('OUT_OF_MEMORY', `the computation did not fit into its memory: ${what}`, {
    cause: thrown,
    hint: 'Give it more with --memory-limit (300MB is the least), and leave space on the disk of the lake for what does not fit.',
  });
}
