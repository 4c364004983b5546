import { isIP } from 'node:net';
import { hostname } from 'node:os';

/** Addresses that only programs of this machine reach. */
export function isLoopback(host: string): boolean {
  const bare = withoutBrackets(host).toLowerCase();
  return bare === 'localhost' || bare === '::1' || /^127(?:\.\d{1,3}){3}$/.test(bare);
}

/**
 * Whether the `Host` of a request is a name of this server. A page of someone else can make its own name mean this
 * machine (DNS rebinding), and the browser then sends that name: it is refused. A literal address cannot be rebound.
 * @param bound the address that the server listens on
 */
export function isAllowedHost(header: string | undefined, bound: string): boolean {
  const host = hostOf(header);
  if (host === null) return false;
  if (isLoopback(bound)) return isLoopback(host);
  const bare = withoutBrackets(host).toLowerCase();
  const [own = '', first = ''] = [hostname().toLowerCase(), hostname().toLowerCase().split('.')[0]];
  return isIP(bare) !== 0 || isLoopback(bare) || [own, first, bound.toLowerCase()].includes(bare);
}

/** What a browser says about where a request comes from. */
export interface RequestOrigin {
  readonly host: string | undefined;
  readonly origin: string | undefined;
  /** `Sec-Fetch-Site`; older browsers and programs send none. */
  readonly site: string | undefined;
}

/** Whether a request is of our own page, or of a program that is no browser. */
export function isOwnOrigin({ host, origin, site }: RequestOrigin): boolean {
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false;
  if (origin === undefined) return true;
  return origin.toLowerCase() === `http://${host ?? ''}`.toLowerCase();
}

/** The name in a `Host` header, without the port; null where it is none. */
function hostOf(header: string | undefined): string | null {
  return /^(\[[0-9a-f:.]+\]|[\w.-]+)(?::\d{1,5})?$/i.exec(header ?? '')?.[1] ?? null;
}

function withoutBrackets(host: string): string {
  return host.replace(/^\[|\]$/g, '');
}
