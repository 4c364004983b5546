import { EdrlakeError, type ProxySettings } from '@edrlake/core';

/** Where the proxy of an https URL may be named, the most particular one first. The first that is set counts. */
const VARIABLES = ['https_proxy', 'HTTPS_PROXY', 'all_proxy', 'ALL_PROXY', 'http_proxy', 'HTTP_PROXY'];

const EXAMPLE = 'http://proxy.example.com:3128';

/**
 * The proxy that the environment names, and in `NO_PROXY` the hosts that need none; null where it names none.
 * @throws {EdrlakeError} `CONFIG_INVALID` for what is no URL of a proxy. The value, which may hold a password, is not
 * shown.
 */
export function readProxy(env: Readonly<Record<string, string | undefined>>): ProxySettings | null {
  const setting = VARIABLES.find((name) => (env[name] ?? '').trim() !== '');
  if (setting === undefined) return null;
  const text = (env[setting] ?? '').trim();
  const url = parseUrl(text);
  if (url === null) {
    throw invalid(
      setting,
      'text that is no URL',
      `For example ${EXAMPLE}. In its user name and password write @ : / # ? % as %40 %3A %2F %23 %3F %25.`,
    );
  }
  if (url.protocol !== 'http:' && url.protocol !== 'https:') {
    const scheme = url.protocol.replace(/:$/, '');
    throw invalid(setting, `the scheme ${scheme}`, `Only http and https proxies work, such as HTTPS_PROXY=${EXAMPLE}`);
  }
  return {
    url: url.origin,
    authorization: authorizationOf(url, setting),
    setting,
    except: env.no_proxy || env.NO_PROXY || '',
  };
}

/** Secrets of the environment's proxies as they may be written, for taking them out of messages. */
export function proxySecrets(env: Readonly<Record<string, string | undefined>>): readonly string[] {
  return VARIABLES.flatMap((name) => {
    const text = env[name] ?? '';
    const typed = /:([^:@]+)@[^@]*$/.exec(text.replace(/^\w+:\/\//, ''))?.[1] ?? '';
    const parsed = parseUrl(text.trim())?.password ?? '';
    return [typed, parsed, decoded(parsed) ?? ''];
  });
}

function parseUrl(text: string): URL | null {
  const full = text.includes('://') ? text : `http://${text}`;
  if (!URL.canParse(full)) return null;
  const url = new URL(full);
  // Where a password holds a slash, the rest of it becomes a path.
  const isWhole = /^\/?$/.test(url.pathname) && url.search === '' && url.hash === '' && url.hostname !== '';
  return isWhole ? url : null;
}

function authorizationOf({ username, password }: URL, setting: string): string | null {
  if (username === '' && password === '') return null;
  const [user, secret] = [decoded(username), decoded(password)];
  if (user === null || secret === null) {
    throw invalid(
      setting,
      'a user name or a password with a % that does not begin a character',
      'Write a percent sign as %25.',
    );
  }
  return `Basic ${Buffer.from(`${user}:${secret}`).toString('base64')}`;
}

/** null where the text is not percent-encoded as it should be. */
function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text);
  } catch {
    return null;
  }
}

function invalid(setting: string, found: string, hint: string): EdrlakeError {
  return new EdrlakeError('CONFIG_INVALID', `${setting}: expected the URL of a proxy, found ${found}`, { hint });
}
