import { type Dataset, didYouMean, EdrlakeError } from '@edrlake/core';
import { DATASET_NAMES } from './names.ts';
import { QUALYS_EDR } from './qualys-edr/tables.ts';
import { QUALYS_FIM } from './qualys-fim/tables.ts';

/** The datasets that edrlake comes with. */
const SHIPPED: readonly Dataset[] = [QUALYS_EDR, QUALYS_FIM];

/** The one that is meant where none is named. */
export const DEFAULT_DATASET: Dataset = QUALYS_EDR;

/** @throws {EdrlakeError} `USAGE` for a name that none of them has */
export function datasetNamed(name: string): Dataset {
  const found = SHIPPED.find((dataset) => dataset.name === name);
  if (found !== undefined) return found;
  const near = didYouMean(name, DATASET_NAMES);
  throw new EdrlakeError('USAGE', `there is no dataset "${name}"`, {
    hint: near === null ? `The datasets are ${DATASET_NAMES.join(' and ')}.` : `Did you mean ${near}?`,
  });
}
