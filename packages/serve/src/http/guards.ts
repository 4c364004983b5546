import type { Context, MiddlewareHandler } from 'hono';
import { isAllowedHost, isOwnOrigin } from '../guard/allowed-host.ts';
import { SAFE_HEADERS } from '../guard/headers.ts';
import { carriesToken } from '../guard/token.ts';

/** Who may ask. */
export interface Admission {
  /** The address that the server listens on. */
  readonly host: string;
  /** null: any program that reaches the address. */
  readonly token: string | null;
}

/** The longest address of a request; questions are sent in the body. */
const LONGEST_URL = 4_096;

/** Refuses what is not of our own page, in this order: name, origin, method, token. */
export function guards({ host, token }: Admission): MiddlewareHandler {
  return async (context, next) => {
    const refusal = refusalOf(context, { host, token });
    if (refusal === null) await next();
    else context.res = refusal;
    for (const [name, value] of Object.entries(SAFE_HEADERS)) context.res.headers.set(name, value);
    if (!context.res.headers.has('Cache-Control')) context.res.headers.set('Cache-Control', 'no-store');
  };
}

function refusalOf(context: Context, { host, token }: Admission): Response | null {
  const { req } = context;
  const asked = { host: req.header('host'), origin: req.header('origin'), site: req.header('sec-fetch-site') };
  if (!isAllowedHost(asked.host, host)) {
    return context.text('edrlake: this name is not one of this server. Use its address.\n', 421);
  }
  const isPage = req.path === '/' && req.method === 'GET' && req.header('sec-fetch-mode') === 'navigate';
  // A link on another page may open this one, which then reads nothing but what its own scripts ask for.
  if (!isPage && !isOwnOrigin(asked)) return context.text('edrlake: not asked by its own page.\n', 403);
  const isQuestion = req.method === 'POST' && req.path.startsWith('/api/ask');
  if (!isQuestion && req.method !== 'GET' && req.method !== 'HEAD') {
    return context.text('edrlake: it only reads.\n', 405, { Allow: 'GET, HEAD' });
  }
  if (req.url.length > LONGEST_URL) return context.text('edrlake: the address is too long.\n', 414);
  if (token === null || carriesToken(req.header('authorization'), token)) return null;
  return context.text('edrlake: the token is needed, as a bearer or as the password of any user.\n', 401, {
    'WWW-Authenticate': 'Basic realm="edrlake", charset="UTF-8"',
  });
}
