import type { IndicatorKind } from './indicator.ts';
import { isRecord, type JsonRecord } from './json-record.ts';
import type { ListBuilder } from './list.ts';

/** Attribute types of MISP; those with `|` hold two values. */
const KINDS: ReadonlyMap<string, IndicatorKind> = new Map([
  ['md5', 'md5'],
  ['sha1', 'sha1'],
  ['sha256', 'sha256'],
  ['filename', 'file'],
  ['ip-src', 'ip'],
  ['ip-dst', 'ip'],
  ['ip', 'ip'],
  ['domain', 'domain'],
  ['hostname', 'domain'],
  ['url', 'url'],
  ['uri', 'url'],
  ['link', 'url'],
]);

/** The second half of a composite type that names no indicator. */
const PASSED_OVER = new Set(['port']);

/** Whether a JSON document is an event of MISP, or an answer of its API with some. */
export function isMisp(document: unknown): boolean {
  return eventsIn(document).length > 0;
}

/** Reads the attributes, also those of objects, that are marked for detection (`to_ids`). */
export function readMisp(document: unknown, list: ListBuilder): void {
  const events = eventsIn(document);
  for (const [position, event] of events.entries()) {
    const of = events.length === 1 ? '' : `[${position}].`;
    readAttributes(event.Attribute, `${of}Attribute`, list);
    const objects = Array.isArray(event.Object) ? event.Object : [];
    for (const [at, object] of objects.entries()) {
      if (isRecord(object)) readAttributes(object.Attribute, `${of}Object[${at}].Attribute`, list);
    }
  }
}

function readAttributes(attributes: unknown, path: string, list: ListBuilder): void {
  for (const [position, attribute] of (Array.isArray(attributes) ? attributes : []).entries()) {
    if (!isRecord(attribute) || attribute.to_ids !== true || attribute.deleted === true) continue;
    const [type, value] = [String(attribute.type), String(attribute.value)];
    const place = `${path}[${position}]`;
    const types = type.split('|');
    const values = types.length === 1 ? [value] : value.split('|');
    let count = 0;
    for (const [at, part] of types.entries()) {
      const kind = KINDS.get(part);
      if (kind === undefined || values[at] === undefined) continue;
      list.add(values[at], kind, place);
      count += 1;
    }
    const isKnown = count > 0 && types.every((part) => KINDS.has(part) || PASSED_OVER.has(part));
    if (!isKnown) list.fault(place, value, `an attribute of the type ${type}`);
  }
}

/** An event alone, in `Event`, in a list, or in the answer of a search. */
function eventsIn(document: unknown): readonly JsonRecord[] {
  if (Array.isArray(document)) return document.flatMap(eventsIn);
  if (!isRecord(document)) return [];
  if (isRecord(document.Event)) return [document.Event];
  if (document.response !== undefined) return eventsIn(document.response);
  return Array.isArray(document.Attribute) || Array.isArray(document.Object) ? [document] : [];
}
