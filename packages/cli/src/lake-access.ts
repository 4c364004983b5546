import { resolve } from 'node:path';
import type { FlagValues } from './flags.ts';
import type { Surroundings } from './surroundings.ts';

/** The lake's absolute path. */
export function lakeDirectory(values: FlagValues, surroundings: Surroundings): string {
  return resolve(surroundings.workingDirectory, values.lake);
}

/** How to open it: `write` creates it where there is none, `read` changes nothing on disk. */
export function lakeOptions(values: FlagValues, purpose: 'read' | 'write') {
  return {
    create: purpose === 'write',
    readOnly: purpose === 'read',
    memoryLimit: values['memory-limit'],
    ...(values.threads === null ? {} : { threads: values.threads }),
  };
}
