import type { Dataset } from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import { type Lake, type LakeOptions, openLake, type RebuildReport, rebuildLog } from '@edrlake/lake';
import { forgetReconciliations } from '../reconcile/last-results.ts';
import type { Services } from '../run/types.ts';

export { type TenantGate, tenantGate } from './tenant-gate.ts';

/** How to open a lake of edrlake. */
export interface EdrLakeOptions
  extends Pick<
    LakeOptions,
    'create' | 'readOnly' | 'memoryLimit' | 'threads' | 'writer' | 'objects' | 'publishes' | 'owner'
  > {
  /** The events that it holds; those of the EDR API unless given. */
  readonly dataset?: Dataset;
}

/**
 * Opens a lake of one of edrlake's datasets, or of another one.
 * @throws {EdrlakeError} as `openLake` of the lake package
 */
export function openEdrLake(
  directory: string,
  { dataset = DEFAULT_DATASET, ...options }: EdrLakeOptions,
  services: Pick<Services, 'clock' | 'emit'>,
): Promise<Lake> {
  return openLake({ directory, ...options, dataset, clock: services.clock, emit: services.emit });
}

/**
 * Rebuilds the log of such a lake from its data files, and forgets the comparisons of its days with the API, so that
 * no day is complete that nothing proves.
 * @throws {EdrlakeError} as `rebuildLog` of the lake package
 */
export async function rebuildEdrLog(
  directory: string,
  {
    memoryLimit,
    dataset = DEFAULT_DATASET,
    objects,
    ...about
  }: Parameters<typeof rebuildLog>[1] &
    Required<Pick<LakeOptions, 'memoryLimit'>> &
    Pick<LakeOptions, 'objects'> &
    Pick<EdrLakeOptions, 'dataset'>,
  services: Pick<Services, 'clock' | 'emit'>,
): Promise<RebuildReport> {
  const { clock, emit } = services;
  const options = { directory, memoryLimit, dataset, clock, emit, ...(objects && { objects }) };
  const report = await rebuildLog(options, about);
  await forgetReconciliations(directory);
  return report;
}
