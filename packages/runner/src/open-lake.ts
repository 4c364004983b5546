import { LAKE_TABLES } from '@edrlake/flattener/tables';
import { type Lake, type LakeOptions, openLake } from '@edrlake/lake';
import type { Services } from './export-types.ts';

/**
 * Opens a lake of edrlake's tables.
 * @throws {EdrlakeError} as `openLake` of the lake package
 */
export function openEdrLake(
  directory: string,
  options: Pick<LakeOptions, 'create' | 'readOnly' | 'memoryLimit' | 'threads'>,
  services: Pick<Services, 'clock' | 'emit'>,
): Promise<Lake> {
  return openLake({ directory, ...options, tables: LAKE_TABLES, clock: services.clock, emit: services.emit });
}
