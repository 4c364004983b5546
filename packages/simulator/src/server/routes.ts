import type { Endpoint } from './call-log.ts';

/** The target of a request, read from its path. */
export interface Route {
  readonly endpoint: Endpoint;
  /** As sent, not decoded. */
  readonly path: string;
  readonly params: URLSearchParams;
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
    agentId,
    eventId,
  });
  if (rawPath === '/auth') return route('auth');
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

function splitOnce(text: string, separator: string): [string, string] {
  const at = text.indexOf(separator);
  return at < 0 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)];
}
