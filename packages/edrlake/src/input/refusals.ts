import { type Dataset, EdrlakeError } from '@edrlake/core';

/** @throws {EdrlakeError} `USAGE` where a lake that is opened for reading would have to be written */
export function refuseReadOnly(isReadOnly: boolean, what: string): void {
  if (!isReadOnly) return;
  throw new EdrlakeError('USAGE', `${what} writes the lake, which is opened for reading`, {
    hint: 'Open it without readOnly.',
  });
}

/** @throws {EdrlakeError} `USAGE` where the source has other events than the lake */
export function refuseOtherDataset(held: Dataset, given: Dataset): void {
  if (held.name === given.name) return;
  throw new EdrlakeError('USAGE', `the lake holds ${held.name}, the source gives ${given.name}`, {
    hint: 'Open the lake and connect with the same dataset.',
  });
}
