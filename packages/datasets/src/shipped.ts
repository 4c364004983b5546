import { type Dataset, didYouMean, EdrlakeError } from '@edrlake/core';
import { QUALYS_EDR } from './qualys-edr/tables.ts';

/** The datasets that edrlake comes with. */
export const DATASETS: readonly Dataset[] = [QUALYS_EDR];

/** The one that is meant where none is named. */
export const DEFAULT_DATASET: Dataset = QUALYS_EDR;

/** @throws {EdrlakeError} `USAGE` for a name that none of them has */
export function datasetNamed(name: string): Dataset {
  const found = DATASETS.find((dataset) => dataset.name === name);
  if (found !== undefined) return found;
  const names = DATASETS.map((dataset) => dataset.name);
  throw new EdrlakeError('USAGE', `there is no dataset "${name}"`, {
    hint: didYouMean(name, names) ?? `The datasets are ${names.join(', ')}.`,
  });
}
