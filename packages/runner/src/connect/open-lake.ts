import { QUALYS_EDR } from '@edrlake/datasets';
import { type Lake, type LakeOptions, openLake, type RebuildReport, rebuildLog } from '@edrlake/lake';
import type { Services } from '../run/types.ts';

/**
 * Opens a lake of edrlake's tables.
 * @throws {EdrlakeError} as `openLake` of the lake package
 */
export function openEdrLake(
  directory: string,
  options: Pick<LakeOptions, 'create' | 'readOnly' | 'memoryLimit' | 'threads'>,
  services: Pick<Services, 'clock' | 'emit'>,
): Promise<Lake> {
  return openLake({ directory, ...options, tables: QUALYS_EDR.tables, clock: services.clock, emit: services.emit });
}

/**
 * Rebuilds the log of such a lake from its data files.
 * @throws {EdrlakeError} as `rebuildLog` of the lake package
 */
export function rebuildEdrLog(
  directory: string,
  { memoryLimit, ...about }: Parameters<typeof rebuildLog>[1] & Required<Pick<LakeOptions, 'memoryLimit'>>,
  services: Pick<Services, 'clock' | 'emit'>,
): Promise<RebuildReport> {
  const { clock, emit } = services;
  return rebuildLog({ directory, memoryLimit, tables: QUALYS_EDR.tables, clock, emit }, about);
}
