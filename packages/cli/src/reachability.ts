import { connect } from 'node:net';
import { EdrlakeError, type Emit } from '@edrlake/core';
import type { Surroundings } from './surroundings.ts';

/** A host that takes connections at all does so within this time. */
const CONNECT_WITHIN_MS = 8_000;
const TRIES = 2;
const DELAY_MS = 1_000;

/**
 * Opens a connection to the gateway and closes it again, before the first request is made. Requests are tried again for
 * minutes, which is right for a host that has answered before and wrong for one that was never there.
 * @throws {EdrlakeError} `HOST_UNREACHABLE` within 20 seconds
 */
export async function requireReachable(baseUrl: string, surroundings: Surroundings, emit: Emit): Promise<void> {
  const { clock, signal } = surroundings;
  for (let tryNumber = 1; ; tryNumber += 1) {
    const reason = await connectionFailure(new URL(baseUrl), signal);
    if (reason === null) return;
    if (tryNumber >= TRIES) throw unreachable(new URL(baseUrl).host, reason);
    emit({ type: 'retry', endpoint: 'connection', code: 'HOST_UNREACHABLE', delayMs: DELAY_MS, tryNumber });
    await clock.sleep(DELAY_MS, signal);
  }
}

/** Why no connection came about, or null where one did. */
function connectionFailure(url: URL, signal: AbortSignal): Promise<string | null> {
  signal.throwIfAborted();
  // An IPv6 host stands in brackets in a URL and without them elsewhere.
  const host = url.hostname.replace(/^\[(.*)\]$/, '$1');
  const port = url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port);
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port });
    const end = (act: () => void) => {
      signal.removeEventListener('abort', onAbort);
      socket.destroy();
      act();
    };
    const onAbort = () => end(() => reject(signal.reason));
    signal.addEventListener('abort', onAbort, { once: true });
    socket.setTimeout(CONNECT_WITHIN_MS, () => end(() => resolve('ETIMEDOUT')));
    socket.once('connect', () => end(() => resolve(null)));
    socket.once('error', (error: NodeJS.ErrnoException) => end(() => resolve(error.code ?? error.message)));
  });
}

const REASONS: Readonly<Record<string, string>> = {
  ENOTFOUND: 'there is no host of that name',
  EAI_AGAIN: 'the name cannot be looked up now',
  ECONNREFUSED: 'nothing listens there',
  ETIMEDOUT: `no answer within ${CONNECT_WITHIN_MS / 1_000} s`,
  ENETUNREACH: 'there is no way to that network',
  EHOSTUNREACH: 'there is no way to that host',
};

function unreachable(host: string, reason: string): EdrlakeError {
  const words = REASONS[reason];
  const why = words === undefined ? reason : `${words} (${reason})`;
  return new EdrlakeError('HOST_UNREACHABLE', `no connection to ${host}: ${why}, tried ${TRIES} times`, {
    context: { host, reason },
    hint: 'Check the base URL or platform, the network and the firewall.',
  });
}
