import { EdrlakeError, type ProxySettings, proxyFor } from '@edrlake/core';
import { createAgent } from './agent.ts';
import { connectionReason } from './failed-exchange.ts';

const TIMEOUTS = { connectTimeoutMs: 10_000, headersTimeoutMs: 60_000, bodyTimeoutMs: 60_000 };

/**
 * Posts a JSON text to a webhook, through the proxy where one applies to its host, and resolves to the status; the rest
 * of the answer is ignored. Redirects are not followed: they would send the headers to another host.
 * @throws {EdrlakeError} `HOST_UNREACHABLE`, `PROXY_UNREACHABLE` or `PROXY_REFUSED` where no answer came; the signal's
 * reason when aborted
 */
export async function postJson(
  url: string,
  body: string,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
  proxy: ProxySettings | null,
): Promise<number> {
  const { origin, host, pathname, search } = new URL(url);
  const agent = createAgent(origin, TIMEOUTS, 1, proxyFor(url, proxy));
  try {
    const answer = await agent.request({ origin, path: `${pathname}${search}`, method: 'POST', headers, body, signal });
    answer.body.on('error', () => {}).destroy();
    return answer.statusCode;
  } catch (thrown) {
    signal.throwIfAborted();
    if (thrown instanceof EdrlakeError) throw thrown;
    throw new EdrlakeError('HOST_UNREACHABLE', `no connection to the webhook at ${host}: ${connectionReason(thrown)}`, {
      disposition: 'retry',
      context: { host },
      hint: 'Check its address, the network, the proxy and the firewall.',
    });
  } finally {
    await agent.destroy();
  }
}
