import type { Endpoint } from './call-log.ts';

/** The target of a request, read from its path. */
export interface Route {
  readonly endpoint: Endpoint;
  /** As sent, not decoded. */
  readonly path: string;
  readonly params: URLSearchParams;
  /** Which module of the platform it asks. */
  readonly module: 'ioc' | 'fim';
  /** Decoded, for details; empty otherwise. */
  readonly agentId: string;
  readonly eventId: string;
}

/** Finds the endpoint. Ids are decoded after the path was split, so they may hold encoded slashes. */
export function routeOf(apiPrefix: string, target: string): Route {
  const [rawPath = '', query = ''] = splitOnce(target, '?');
  const params = new URLSearchParams(query);
  const route = (endpoint: Endpoint, agentId = '', eventId = ''): Route => ({
    endpoint,
    path: rawPath,
    params,
    module: 'ioc',
    agentId,
    eventId,
  });
  if (/^\/auth(\/(oidc|oauth))?$/.test(rawPath)) return route('auth');
  const events = `${apiPrefix}/events`;
  if (rawPath === events) return route('events');
  if (!rawPath.startsWith(`${events}/`)) return route('unknown');
  const rest = rawPath.slice(events.length + 1);
  if (rest === 'count') return route('count');
  if (rest === 'count/time-buckets') return route('time-buckets');
  if (rest === 'searchAfter') return route('search-after');
  const ids = rest.split('/');
  if (ids.length !== 2) return route('unknown');
  try {
    return route('detail', decodeURIComponent(ids[0] ?? ''), decodeURIComponent(ids[1] ?? ''));
  } catch {
    return route('unknown');
  }
}

/** The endpoints of the FIM module, which take their question as a JSON object by POST. */
const POSTED: Readonly<Record<string, Endpoint>> = {
  '/fim/v2/events/search': 'events',
  '/fim/v2/events/count': 'count',
};

/** Whether a path is one of those. */
export function isPosted(path: string): boolean {
  return Object.hasOwn(POSTED, path);
}

/**
 * The target of a posted question: its members become parameters, lists separated by commas. null for a body that is
 * no object.
 */
export function postedRoute(path: string, body: string): Route | null {
  let question: unknown;
  try {
    question = JSON.parse(body);
  } catch {
    return null;
  }
  if (typeof question !== 'object' || question === null || Array.isArray(question)) return null;
  const given = Object.entries(question).filter(([, value]) => value !== null);
  const params = new URLSearchParams(given.map(([name, value]): [string, string] => [name, String(value)]));
  return { endpoint: POSTED[path] ?? 'unknown', path, params, module: 'fim', agentId: '', eventId: '' };
}

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
