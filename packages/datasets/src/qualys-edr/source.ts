import { createQualysSource, DOCUMENTED_TOKENS } from '@edrlake/client';
import type { EventSource } from '@edrlake/core';
import type { PlatformAccess } from '../define/platform-access.ts';

/** The events of the IOC/EDR API. @throws {EdrlakeError} `CONFIG_INVALID` where not even one page fits */
export function openEdrSource({ client, timeTokens, ...options }: PlatformAccess): EventSource {
  return createQualysSource(client, { ...options, timeTokens: { ...DOCUMENTED_TOKENS.timeTokens, ...timeTokens } });
}
