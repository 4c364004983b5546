import { BlockList, isIP } from 'node:net';
import { EdrlakeError } from '../errors/errors.ts';

/** A forward proxy that connections go through, and which hosts are reached without it. */
export interface ProxySettings {
  /** `http://host:port` or `https://host:port`, without a user name. */
  readonly url: string;
  /** The value of the header `proxy-authorization`; null for none. A secret. */
  readonly authorization: string | null;
  /** The name of the setting, for messages: `HTTPS_PROXY`. */
  readonly setting: string;
  /** Hosts without the proxy, as in `NO_PROXY`: names with their subdomains, `host:port`, addresses, networks, `*`. */
  readonly except: string;
}

/**
 * The proxy for a URL, or null for a direct connection: without a proxy, on this machine itself, and where the
 * exceptions name its host.
 */
export function proxyFor(url: string, settings: ProxySettings | null | undefined): ProxySettings | null {
  if (settings === null || settings === undefined) return null;
  const { hostname, port, protocol } = new URL(url);
  const host = withoutBrackets(hostname.toLowerCase());
  const isLoopback =
    host === 'localhost' || host.endsWith('.localhost') || host === '::1' || /^127(?:\.\d{1,3}){3}$/.test(host);
  if (isLoopback) return null;
  const ownPort = port !== '' ? port : protocol === 'https:' ? '443' : '80';
  const entries = settings.except.toLowerCase().split(/[\s,]+/);
  return entries.some((entry) => isMatch(entry, host, ownPort)) ? null : settings;
}

function isMatch(entry: string, host: string, port: string): boolean {
  if (entry === '*') return true;
  const [, name = '', ownPort] = /^(\[.+\]|[^:]+|[^[]*:[^[]*:[^[]*)(?::(\d+))?$/.exec(entry) ?? [];
  if (ownPort !== undefined && ownPort !== port) return false;
  const [network = '', prefix] = withoutBrackets(name).split('/');
  if (prefix !== undefined) return isInNetwork(host, network, Number(prefix));
  const wanted = network.replace(/^\*?\./, '');
  return wanted !== '' && (host === wanted || host.endsWith(`.${wanted}`));
}

function isInNetwork(host: string, network: string, prefix: number): boolean {
  const family = isIP(network);
  if (family === 0 || family !== isIP(host) || !(prefix >= 0 && prefix <= (family === 4 ? 32 : 128))) return false;
  const type = family === 4 ? 'ipv4' : 'ipv6';
  const list = new BlockList();
  list.addSubnet(network, prefix, type);
  return list.check(host, type);
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[(.*)\]$/, '$1');
}

/** The error of a proxy that cannot be connected to. */
export function proxyUnreachable({ url, setting }: ProxySettings, reason: string): EdrlakeError {
  return new EdrlakeError('PROXY_UNREACHABLE', `no connection to the proxy ${url}: ${reason}`, {
    disposition: 'retry',
    context: { proxy: url, reason },
    hint: `Check ${setting} and whether the proxy runs. Hosts that need none are listed in NO_PROXY.`,
  });
}

/**
 * The error of a proxy that did not open a connection to the gateway.
 * @param host of the gateway, with its port where it is not the usual one
 * @param status of the proxy's answer to CONNECT
 */
export function proxyRefusal({ url, setting }: ProxySettings, host: string, status: number): EdrlakeError {
  const context = { proxy: url, host, status };
  if (status === 407) {
    return new EdrlakeError(
      'PROXY_REFUSED',
      `the proxy ${url} wants a user name and a password, or others (HTTP 407)`,
      {
        context,
        hint: `Put them into ${setting} as http://USER:PASSWORD@HOST:PORT; write characters such as @ : / # as %40 %3A %2F %23.`,
      },
    );
  }
  if (status >= 500 || status === 408 || status === 429) {
    return new EdrlakeError(
      'HOST_UNREACHABLE',
      `the proxy ${url} has no connection to ${host}: it answered HTTP ${status}`,
      { disposition: 'retry', context, hint: 'Check the base URL or platform; else ask who runs the proxy.' },
    );
  }
  return new EdrlakeError('PROXY_REFUSED', `the proxy ${url} opens no connection to ${host} (HTTP ${status})`, {
    context,
    hint: `Ask who runs the proxy to allow CONNECT to ${host}, or name the host in NO_PROXY to reach it directly.`,
  });
}
