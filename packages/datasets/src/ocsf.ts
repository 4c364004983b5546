import type { Dataset } from '@edrlake/core';
import type { OcsfMapping } from './define/ocsf-mapping.ts';
import { QUALYS_EDR_OCSF } from './qualys-edr/ocsf.ts';
import { QUALYS_EDR } from './qualys-edr/tables.ts';

export type {
  OcsfChild,
  OcsfClassMapping,
  OcsfFeed,
  OcsfFindings,
  OcsfMapping,
  OcsfRow,
} from './define/ocsf-mapping.ts';

const MAPPINGS: ReadonlyMap<Dataset, OcsfMapping> = new Map([[QUALYS_EDR, QUALYS_EDR_OCSF]]);

/** The names of the datasets whose events become OCSF. */
export const OCSF_DATASETS: readonly string[] = [...MAPPINGS.keys()].map(({ name }) => name);

/** How the events of a shipped dataset become OCSF; null where that is not defined. */
export function ocsfMappingOf(dataset: Dataset): OcsfMapping | null {
  return MAPPINGS.get(dataset) ?? null;
}
