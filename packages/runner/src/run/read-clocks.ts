import { type BothClocks, bothClocks, type EventSource } from '@edrlake/core';
import type { Services } from './types.ts';

/**
 * Reads both clocks. Costs a login where the source has not answered yet, which the first request would cost as well.
 * @throws {EdrlakeError} what the login throws
 */
export async function readClocks(
  source: Pick<EventSource, 'serverClock'>,
  { clock, signal }: Pick<Services, 'clock' | 'signal'>,
): Promise<BothClocks> {
  const serverMs = (await source.serverClock?.ask(signal)) ?? null;
  // Read after the answer: a login that took long must not make this machine's clock the earlier one.
  return bothClocks(clock.nowMs(), serverMs);
}

/** Both clocks as far as they are known, without a request. */
export function knownClocks(source: Pick<EventSource, 'serverClock'>, { clock }: Pick<Services, 'clock'>): BothClocks {
  return bothClocks(clock.nowMs(), source.serverClock?.lastMs() ?? null);
}
