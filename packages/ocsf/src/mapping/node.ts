import { EdrlakeError } from '@edrlake/core';
import type { Attribute, Shape } from '../schema/facts.ts';
import { structSql } from './values.ts';

/** A scalar, or a list of scalars. */
interface Leaf {
  readonly kind: 'leaf';
  readonly value: string;
  /** SQL, never NULL. */
  readonly isThere: string;
  /** SQL that is true where the source says something; null for what is the same in every event. */
  readonly says: string | null;
}

/** An object of named attributes. */
export interface ObjectNode {
  readonly kind: 'object';
  readonly name: string;
  readonly shape: Shape;
  readonly members: Map<string, Node>;
}

/** A list of a few objects, each with a place of its own. */
interface ListNode {
  readonly kind: 'list';
  readonly isRequired: boolean;
  readonly elements: Map<string, ObjectNode>;
}

/** What an attribute is made of. */
export type Node = Leaf | ObjectNode | ListNode;

/** A leaf that is there where its value is. */
export function leafOf(value: string): Leaf {
  return { kind: 'leaf', value, isThere: `(${value}) IS NOT NULL`, says: `(${value}) IS NOT NULL` };
}

/** SQL of the value; NULL where it is not there. */
export function valueSql(node: Node): string {
  if (node.kind === 'leaf') return node.value;
  if (node.kind === 'object') {
    const members = inOrder(node).map(([name, member]) => [name, valueSql(member)] as const);
    return `CASE WHEN ${isThereSql(node)} THEN ${structSql(members)} END`;
  }
  const elements = [...node.elements.values()];
  const list = `list_filter([${elements.map(valueSql).join(', ')}], lambda e: e IS NOT NULL)`;
  return node.isRequired ? list : `CASE WHEN ${anyOf(elements.map(isThereSql))} THEN ${list} END`;
}

/**
 * SQL, never NULL: whether an object has all that its facts require, and something that the source said where anything
 * in it comes from there.
 */
export function isThereSql(node: Node): string {
  if (node.kind === 'leaf') return node.isThere;
  if (node.kind === 'list') {
    return node.isRequired ? 'TRUE' : anyOf([...node.elements.values()].map(isThereSql));
  }
  const { shape, members } = node;
  const required = [...shape.attributes.values()].filter(({ isRequired }) => isRequired);
  const conditions = required.map((attribute) => isThereSql(requiredMember(node, attribute)));
  if (shape.atLeastOne.length > 0) {
    conditions.push(anyOf(shape.atLeastOne.flatMap((name) => members.get(name) ?? []).map(isThereSql)));
  }
  // What is required and comes from the source says something already.
  const says = [...required, ...atLeastOneOf(node)].some(({ name }) => isSaying(members.get(name)))
    ? null
    : saysSql(node);
  if (says !== null) conditions.push(says);
  const distinct = [...new Set(conditions)].filter((condition) => condition !== 'TRUE');
  return distinct.length === 0 ? 'TRUE' : `(${distinct.join(' AND ')})`;
}

/** The attributes of the rule that one has to be there, where any that is there comes from the source. */
function atLeastOneOf({ shape, members }: ObjectNode): Attribute[] {
  const fed = shape.atLeastOne.flatMap((name) => (members.has(name) ? (shape.attributes.get(name) ?? []) : []));
  return fed.every(({ name }) => isSaying(members.get(name))) ? fed : [];
}

function isSaying(node: Node | undefined): boolean {
  if (node === undefined) return false;
  if (node.kind === 'leaf') return node.says !== null;
  const parts = node.kind === 'object' ? [...node.members.values()] : [...node.elements.values()];
  return parts.some(isSaying);
}

/** @throws {EdrlakeError} `BUG` where a mapping leaves out what the schema requires */
function requiredMember({ name, members }: ObjectNode, attribute: Attribute): Node {
  const member = members.get(attribute.name);
  if (member === undefined) throw new EdrlakeError('BUG', `${name} requires ${attribute.name}, which nothing feeds`);
  return member;
}

function saysSql(node: Node): string | null {
  if (node.kind === 'leaf') return node.says;
  const parts = node.kind === 'object' ? [...node.members.values()] : [...node.elements.values()];
  const sayers = parts.filter((part) => saysSql(part) !== null);
  if (sayers.length === 0) return null;
  return anyOf(sayers.map((part) => (part.kind === 'leaf' ? (part.says ?? 'TRUE') : isThereSql(part))));
}

function anyOf(conditions: readonly string[]): string {
  if (conditions.length === 0 || conditions.includes('TRUE')) return conditions.length === 0 ? 'FALSE' : 'TRUE';
  return `(${[...new Set(conditions)].join(' OR ')})`;
}

/** In the order of the facts, so that files of one class have the same columns. */
export function inOrder({ shape, members }: ObjectNode): (readonly [string, Node])[] {
  return [...shape.attributes.keys()].flatMap((name) => {
    const member = members.get(name);
    return member === undefined ? [] : [[name, member] as const];
  });
}
