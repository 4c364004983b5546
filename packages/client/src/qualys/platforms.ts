import { didYouMean, EdrlakeError } from '@edrlake/core';

/**
 * Platform id → host of its gateway. A private cloud has none of these ids: its gateway is `qualysgateway.<customer
 * base>`.
 */
export const PLATFORMS = {
  US1: 'gateway.qg1.apps.qualys.com',
  US2: 'gateway.qg2.apps.qualys.com',
  US3: 'gateway.qg3.apps.qualys.com',
  US4: 'gateway.qg4.apps.qualys.com',
  GOV1: 'gateway.gov1.qualys.us',
  EU1: 'gateway.qg1.apps.qualys.eu',
  EU2: 'gateway.qg2.apps.qualys.eu',
  EU3: 'gateway.qg3.apps.qualys.it',
  IN1: 'gateway.qg1.apps.qualys.in',
  CA1: 'gateway.qg1.apps.qualys.ca',
  AE1: 'gateway.qg1.apps.qualys.ae',
  UK1: 'gateway.qg1.apps.qualys.co.uk',
  AU1: 'gateway.qg1.apps.qualys.com.au',
  KSA1: 'gateway.qg1.apps.qualysksa.com',
} as const satisfies Record<string, string>;

/** An id of `PLATFORMS`. */
export type PlatformId = keyof typeof PLATFORMS;

/** The two oldest platforms have web and API hosts without a pod name. */
const BASES_WITHOUT_POD: Readonly<Record<string, string>> = {
  'qualys.com': PLATFORMS.US1,
  'qualys.eu': PLATFORMS.EU1,
};

/** Where the API is: exactly one of the two. */
export interface Endpoint {
  /** A platform id in any case. */
  readonly platform?: string | null;
  readonly baseUrl?: string | null;
}

/**
 * The origin of all requests, such as `https://gateway.qg2.apps.qualys.com`: no path, no slash at the end. A URL
 * without a scheme is taken as https.
 * @throws {EdrlakeError} `CONFIG_INVALID` for an unknown platform id, for both settings, or for none of them;
 * `URL_INVALID` for a URL that must not receive the token or is not a gateway. The user corrects the setting.
 */
export function resolveBaseUrl(endpoint: Endpoint): string {
  const platform = endpoint.platform?.trim() || null;
  const baseUrl = endpoint.baseUrl?.trim() || null;
  if (platform !== null && baseUrl !== null) {
    throw new EdrlakeError('CONFIG_INVALID', `both a platform (${platform}) and a base URL are set`, {
      hint: 'Keep one of the two.',
    });
  }
  if (platform !== null) return `https://${gatewayOf(platform)}`;
  if (baseUrl !== null) return normaliseUrl(baseUrl);
  throw new EdrlakeError('CONFIG_INVALID', 'neither a platform nor a base URL is set', {
    hint: `Set the platform to one of ${Object.keys(PLATFORMS).join(', ')}, or give the base URL of your gateway.`,
  });
}

function gatewayOf(platform: string): string {
  const id = platform.toUpperCase();
  if (isPlatformId(id)) return PLATFORMS[id];
  const known = Object.keys(PLATFORMS);
  const nearest = didYouMean(id, known);
  const suggestion = nearest === null ? '' : ` Did you mean ${nearest}?`;
  throw new EdrlakeError('CONFIG_INVALID', `unknown platform "${platform}".${suggestion}`, {
    hint: `Known platforms: ${known.join(', ')}. For a private cloud set the base URL to https://qualysgateway.<your base>.`,
  });
}

function isPlatformId(id: string): id is PlatformId {
  return Object.hasOwn(PLATFORMS, id);
}

function normaliseUrl(text: string): string {
  let url: URL;
  try {
    url = new URL(text.includes('://') ? text : `https://${text}`);
  } catch {
    throw urlInvalid(`"${text}" is not a URL`);
  }
  // Before any message that quotes the URL, which may contain a password.
  if (url.username !== '' || url.password !== '') {
    throw urlInvalid('the base URL holds a user name or a password', 'Remove everything before the @.');
  }
  refuseOtherQualysHosts(url.hostname);
  const isSecure = url.protocol === 'https:';
  if (!isSecure && !(url.protocol === 'http:' && isLoopback(url.hostname))) {
    throw urlInvalid(
      `${url.protocol}//${url.host} is not https`,
      'Use https://. Plain http is accepted only for this machine itself (localhost, 127.0.0.0/8, ::1).',
    );
  }
  if (url.pathname !== '/' || url.search !== '' || url.hash !== '') {
    throw urlInvalid(
      `the base URL has a path or a query: ${url.pathname}`,
      `Give only ${url.origin}; the module is the setting apiPrefix.`,
    );
  }
  return url.origin;
}

/** Users paste the host of the web console or of the older API; neither answers `/auth` or `/ioc`. */
function refuseOtherQualysHosts(host: string): void {
  const match = /^(?:qualysapi|qualysguard)\.(.+)$/.exec(host);
  const base = match?.[1];
  if (base === undefined) return;
  const known: readonly string[] = Object.values(PLATFORMS);
  const podGateway = `gateway.${base}`;
  const gateway = BASES_WITHOUT_POD[base] ?? (known.includes(podGateway) ? podGateway : `qualysgateway.${base}`);
  throw urlInvalid(`${host} is not a gateway`, `The gateway that belongs to it is https://${gateway}`);
}

function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '[::1]' || /^127(?:\.\d{1,3}){3}$/.test(host);
}

function urlInvalid(message: string, hint = 'Give the URL of a gateway, such as https://gateway.qg2.apps.qualys.com') {
  return new EdrlakeError('URL_INVALID', message, { hint });
}
