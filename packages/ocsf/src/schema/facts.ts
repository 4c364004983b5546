import { EdrlakeError } from '@edrlake/core';
/** The versions of OCSF that events are published as. */
export const OCSF_VERSIONS = ['1.3.0', '1.8.0'] as const;

/** One of them. */
export type OcsfVersion = (typeof OCSF_VERSIONS)[number];

/** One attribute of a class or an object, in one version. */
export interface Attribute {
  readonly name: string;
  /** A type of the schema (`string_t`), or the name of an object (`file`). */
  readonly type: string;
  readonly isList: boolean;
  readonly isRequired: boolean;
  /** The profile that brings it; null for an attribute of its own. */
  readonly profile: string | null;
  /** Captions by id, of enum attributes. */
  readonly ids: Readonly<Record<number, string>> | null;
}

/** A class or an object, in one version. */
export interface Shape {
  readonly attributes: ReadonlyMap<string, Attribute>;
  /** One of them has to be there; empty where there is no such rule. */
  readonly atLeastOne: readonly string[];
}

/**
 * Facts of one class or object, a line each: `name type`, with `!` behind the name of a required one, `[]` behind the
 * type of a list, then `=1.3.0` or `=1.8.0` for an attribute or a requirement of one version only (`name!1.3.0`),
 * `@profile`, and the captions of an enum: `0 Unknown, 1 Create`.
 */
export interface Facts {
  readonly attributes: readonly string[];
  /** For each version, or for both. */
  readonly atLeastOne?: string | Readonly<Record<OcsfVersion, string>>;
}

const LINE = /^(\w+)(!(?:\d\.\d\.\d)?)? ([\w/]+)(\[\])?(?: =(\d\.\d\.\d))?(?: @(\w+))?(?: ([0-9].*))?$/;

/** @throws {EdrlakeError} `BUG` for a line that cannot be read */
export function shapeOf(facts: Facts, version: OcsfVersion): Shape {
  const attributes = new Map<string, Attribute>();
  for (const line of facts.attributes) {
    const found = LINE.exec(line);
    if (found === null) throw new EdrlakeError('BUG', `unreadable fact: ${line}`);
    const [, name = '', needs, type = '', list, only, profile, ids] = found;
    if (only !== undefined && only !== version) continue;
    attributes.set(name, {
      name,
      type,
      isList: list !== undefined,
      isRequired: needs === '!' || needs === `!${version}`,
      profile: profile ?? null,
      ids: ids === undefined ? null : idsOf(ids),
    });
  }
  const { atLeastOne = '' } = facts;
  const names = typeof atLeastOne === 'string' ? atLeastOne : atLeastOne[version];
  return { attributes, atLeastOne: names === '' ? [] : names.split(' ') };
}

function idsOf(text: string): Record<number, string> {
  return Object.fromEntries(
    text.split(', ').map((entry) => [Number(entry.split(' ')[0]), entry.slice(entry.indexOf(' ') + 1)]),
  );
}

/** The name of the attribute that holds the caption of an enum attribute. */
export function siblingOf(name: string): string {
  return name === 'activity_id' ? 'activity_name' : name.replace(/_id$/, '');
}
