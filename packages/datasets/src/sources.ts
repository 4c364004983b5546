import type { Dataset, EventSource } from '@edrlake/core';
import { EdrlakeError } from '@edrlake/core';
import type { PlatformAccess } from './define/platform-access.ts';
import { openEdrSource } from './qualys-edr/source.ts';
import { QUALYS_EDR } from './qualys-edr/tables.ts';
import { openFimSource } from './qualys-fim/source.ts';
import { QUALYS_FIM } from './qualys-fim/tables.ts';

export type { PlatformAccess } from './define/platform-access.ts';

const SOURCES: ReadonlyMap<Dataset, (access: PlatformAccess) => EventSource> = new Map([
  [QUALYS_EDR, openEdrSource],
  [QUALYS_FIM, openFimSource],
]);

/**
 * The API behind a dataset that edrlake comes with.
 * @throws {EdrlakeError} `CONFIG_INVALID` for any other dataset, or where not even one page fits into the result window
 */
export function openSource(dataset: Dataset, access: PlatformAccess): EventSource {
  const open = SOURCES.get(dataset);
  if (open !== undefined) return open(access);
  throw new EdrlakeError('CONFIG_INVALID', `the dataset ${dataset.name} has a source of its own`, {
    hint: 'Give access, which its source is opened with.',
  });
}
