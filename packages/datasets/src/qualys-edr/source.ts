import { createQualysSource, DOCUMENTED_TOKENS } from '@edrlake/client';
import type { EventSource } from '@edrlake/core';
import type { PlatformAccess } from '../define/platform-access.ts';

/**
 * The events of the IOC/EDR API, which has details of single events.
 * @throws {EdrlakeError} `CONFIG_INVALID` where not even one page fits
 */
export function openEdrSource({ client, timeTokens, ...options }: PlatformAccess): EventSource {
  const tokens = { ...DOCUMENTED_TOKENS.timeTokens, ...timeTokens };
  const details: EventSource['details'] = (agentId, eventId, signal) =>
    client.eventDetail(agentId, eventId, {}, signal);
  return Object.assign(createQualysSource(client, { ...options, timeTokens: tokens }), { details });
}
