import { classNamed, objectShape } from '../src/schema/classes.ts';
import { type Attribute, type OcsfVersion, type Shape, shapeOf } from '../src/schema/facts.ts';
import { typeFacts } from '../src/schema/types.ts';

/** Faults of one event by the facts of its class: what is missing, unknown, of another type, or no id of an enum. */
export function faultsOf(className: string, version: OcsfVersion, event: unknown): string[] {
  return faultsIn(shapeOf(classNamed(className), version), event, version, className);
}

function faultsIn(shape: Shape, value: unknown, version: OcsfVersion, path: string): string[] {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return [`${path} is no object`];
  const members = new Map(Object.entries(value).filter(([, member]) => member !== null));
  const faults = [...shape.attributes.values()].flatMap((attribute) => {
    const member = members.get(attribute.name);
    const at = `${path}.${attribute.name}`;
    if (member === undefined)
      return attribute.isRequired && !isOfUnusedProfile(attribute, members) ? [`${at} is missing`] : [];
    if (attribute.type === 'object') return typeof member === 'object' ? [] : [`${at} is no object`];
    if (!attribute.isList) return faultsOfValue(attribute, member, version, at);
    if (!Array.isArray(member)) return [`${at} is no list`];
    return member.flatMap((element, index) => faultsOfValue(attribute, element, version, `${at}[${index}]`));
  });
  for (const name of members.keys()) if (!shape.attributes.has(name)) faults.push(`${path}.${name} is unknown`);
  const isOneThere = shape.atLeastOne.length === 0 || shape.atLeastOne.some((name) => members.has(name));
  if (!isOneThere) faults.push(`${path} has none of ${shape.atLeastOne.join(', ')}`);
  return faults;
}

function isOfUnusedProfile({ profile }: Attribute, members: ReadonlyMap<string, unknown>): boolean {
  const profiles = (members.get('metadata') as { profiles?: unknown } | undefined)?.profiles;
  return profile !== null && !(Array.isArray(profiles) && profiles.includes(profile));
}

function faultsOfValue(attribute: Attribute, value: unknown, version: OcsfVersion, at: string): string[] {
  const facts = typeFacts(attribute.type, version);
  if (facts === null) return faultsIn(objectShape(attribute.type, version), value, version, at);
  const { stored, pattern, maxLength, range } = facts;
  if (stored === 'VARCHAR') {
    if (typeof value !== 'string') return [`${at} is no text`];
    if (maxLength !== undefined && [...value].length > maxLength) return [`${at} is too long`];
    if (pattern !== undefined && !new RegExp(`^(?:${pattern})$`).test(value)) return [`${at} is ${value}`];
    return [];
  }
  if (stored === 'BOOLEAN') return typeof value === 'boolean' ? [] : [`${at} is no boolean`];
  if (typeof value !== 'number' || (stored !== 'DOUBLE' && !Number.isInteger(value))) return [`${at} is no number`];
  if (range !== undefined && (value < range[0] || value > range[1])) return [`${at} is ${value}`];
  if (attribute.ids !== null && attribute.ids[value] === undefined) return [`${at} has the unknown id ${value}`];
  return [];
}
