import type { IndicatorKind } from './indicator.ts';
import { isRecord, type JsonRecord } from './json-record.ts';
import type { ListBuilder } from './list.ts';

/** One comparison in a pattern: object path, operator, and a literal or a list of them. */
const COMPARISON =
  /([a-z][a-z0-9-]*):((?:[\w-]+|'[^']*')(?:(?:\.(?:[\w-]+|'[^']*'))|\[[^\]]*\])*)\s*(NOT\s+)?(=|!=|IN|LIKE|ISSUBSET|ISSUPERSET|MATCHES|[<>]=?)\s*(\((?:[^()']|'(?:[^'\\]|\\.)*')*\)|'(?:[^'\\]|\\.)*'|[\w.+-]+)/g;

/** Kinds by object type and property, as STIX 2 names them. */
const KINDS: ReadonlyMap<string, IndicatorKind> = new Map([
  ['file:hashes.md5', 'md5'],
  ['file:hashes.sha-1', 'sha1'],
  ['file:hashes.sha1', 'sha1'],
  ['file:hashes.sha-256', 'sha256'],
  ['file:hashes.sha256', 'sha256'],
  ['file:name', 'file'],
  ['process:name', 'file'],
  ['ipv4-addr:value', 'ip'],
  ['ipv6-addr:value', 'ip'],
  ['domain-name:value', 'domain'],
  ['url:value', 'url'],
]);

/**
 * Reads a STIX 2 bundle: the patterns of its indicators, and where it has none, its observables. Each value of a
 * pattern is hunted by itself, because the lake's rows say less than a pattern may ask.
 */
export function readStix(bundle: JsonRecord, list: ListBuilder): void {
  const objects = Array.isArray(bundle.objects) ? bundle.objects : [];
  const isIndicator = (object: unknown) => isRecord(object) && object.type === 'indicator';
  const hasIndicators = objects.some(isIndicator);
  for (const [position, object] of objects.entries()) {
    const place = `objects[${position}]`;
    if (!isRecord(object)) list.fault(place, JSON.stringify(object), 'no object');
    else if (hasIndicators ? isIndicator(object) : true) readObject(object, place, list, hasIndicators);
  }
}

function readObject(object: JsonRecord, place: string, list: ListBuilder, isPattern: boolean): void {
  if (!isPattern) {
    readObservable(object, place, list);
    return;
  }
  if (object.revoked === true) return;
  const pattern = typeof object.pattern === 'string' ? object.pattern : '';
  const type = object.pattern_type ?? 'stix';
  if (type !== 'stix') {
    list.fault(place, pattern, `a pattern of the type ${String(type)}, expected stix`);
    return;
  }
  let count = 0;
  for (const [, objectType = '', path = '', not, operator = '', literal = ''] of pattern.matchAll(COMPARISON)) {
    const kind = KINDS.get(propertyOf(objectType, path));
    if (kind === undefined || not !== undefined || !['=', 'IN', 'LIKE', 'ISSUBSET'].includes(operator)) continue;
    for (const value of literalsIn(literal)) {
      const isPattern = operator === 'LIKE';
      if (isPattern && kind !== 'file' && kind !== 'domain') continue;
      list.add(isPattern ? wildcardOf(value) : value, kind, place);
      count += 1;
    }
  }
  if (count === 0) list.fault(place, pattern, 'a pattern without a hash, address, domain, URL or file name');
}

function readObservable(object: JsonRecord, place: string, list: ListBuilder): void {
  const type = String(object.type);
  const add = (property: string, value: unknown) => {
    const kind = KINDS.get(propertyOf(type, property));
    if (kind !== undefined && typeof value === 'string') list.add(value, kind, place);
  };
  const { hashes } = object;
  if (isRecord(hashes) && Object.keys(hashes).length > 0) {
    for (const [name, value] of Object.entries(hashes)) add(`hashes.${name}`, value);
    return;
  }
  add('value', object.value);
  add('name', object.name);
}

/** `file:hashes.sha-256` of `hashes.'SHA-256'`. */
function propertyOf(type: string, path: string): string {
  return `${type}:${path.replaceAll("'", '')}`.toLowerCase();
}

function literalsIn(literal: string): string[] {
  return [...literal.matchAll(/'((?:[^'\\]|\\.)*)'/g)].map(([, text = '']) => text.replaceAll(/\\(.)/g, '$1'));
}

/** SQL's wildcards as those of a shell. */
function wildcardOf(like: string): string {
  return like.replaceAll('%', '*').replaceAll('_', '?');
}
