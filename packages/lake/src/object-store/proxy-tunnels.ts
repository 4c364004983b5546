import { type ClientRequest, Agent as HttpAgent, request as httpRequest } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { isIP, type Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { type ConnectionOptions, connect as connectTls } from 'node:tls';
import { EdrlakeError, type ProxySettings, proxyFor, proxyRefusal, proxyUnreachable } from '@edrlake/core';

/** Connections of the object store's client, each through the proxy unless its host needs none. */
export interface TunnelAgents {
  readonly httpAgent: HttpAgent;
  readonly httpsAgent: HttpsAgent;
}

/** What Node asks an agent for. */
interface Wanted extends ConnectionOptions {
  readonly host: string;
  readonly port: number;
}

type Created = (thrown: Error | null, socket?: Duplex) => void;

const MAX_SOCKETS = 50;

/** @param connectMs the longest that opening a tunnel may take */
export function tunnelAgents(proxy: ProxySettings, connectMs: number): TunnelAgents {
  const options = { keepAlive: true, maxSockets: MAX_SOCKETS };
  const [httpAgent, httpsAgent] = [new HttpAgent(options), new HttpsAgent(options)];
  const direct = { http: httpAgent.createConnection, https: httpsAgent.createConnection };
  httpAgent.createConnection = ((wanted: Wanted, created: Created) => {
    if (isDirect('http', wanted, proxy)) return direct.http.call(httpAgent, wanted, created);
    openTunnel(proxy, wanted, connectMs, created);
    return undefined;
  }) as typeof direct.http;
  httpsAgent.createConnection = ((wanted: Wanted, created: Created) => {
    if (isDirect('https', wanted, proxy)) return direct.https.call(httpsAgent, wanted, created);
    openTunnel(proxy, wanted, connectMs, (thrown, socket) => {
      if (thrown !== null || socket === undefined) return created(thrown);
      const { host, servername } = wanted;
      const name = servername || (isIP(host) === 0 ? host : '');
      created(null, connectTls({ ...wanted, socket: socket as Socket, servername: name }));
    });
    return undefined;
  }) as typeof direct.https;
  return { httpAgent, httpsAgent };
}

function isDirect(scheme: 'http' | 'https', { host, port }: Wanted, proxy: ProxySettings): boolean {
  return proxyFor(`${scheme}://${isIP(host) === 6 ? `[${host}]` : host}:${port}`, proxy) === null;
}

/** @param created gets `PROXY_UNREACHABLE`, `PROXY_REFUSED` or `HOST_UNREACHABLE`, or the connection to the host */
function openTunnel(proxy: ProxySettings, { host, port }: Wanted, connectMs: number, created: Created): void {
  const target = `${isIP(host) === 6 ? `[${host}]` : host}:${port}`;
  const { authorization, url } = proxy;
  const headers = { host: target, ...(authorization !== null && { 'proxy-authorization': authorization }) };
  const { protocol, hostname, port: proxyPort } = new URL(url);
  const options = {
    ...{ method: 'CONNECT', path: target, headers, agent: false },
    ...{ host: hostname.replace(/^\[(.*)\]$/, '$1'), port: proxyPort || (protocol === 'https:' ? 443 : 80) },
  };
  const asked: ClientRequest = protocol === 'https:' ? httpsRequest(options) : httpRequest(options);
  asked.setTimeout(connectMs, () => asked.destroy(proxyUnreachable(proxy, 'no answer in time')));
  asked.once('error', (thrown: NodeJS.ErrnoException) => {
    created(thrown instanceof EdrlakeError ? thrown : proxyUnreachable(proxy, thrown.code ?? thrown.message));
  });
  // A proxy that answers without opening a tunnel ends the answer itself.
  asked.once('response', (answer) => {
    answer.destroy();
    created(proxyRefusal(proxy, target, answer.statusCode ?? 0));
  });
  asked.once('connect', (answer, socket) => {
    asked.setTimeout(0);
    if (answer.statusCode === 200) return created(null, socket);
    socket.on('error', () => {}).destroy();
    created(proxyRefusal(proxy, target, answer.statusCode ?? 0));
  });
  asked.end();
}
