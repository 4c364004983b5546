import { type ColumnType, EdrlakeError, quoteName, quoteText } from '@edrlake/core';
import type { OcsfFeed, OcsfRow } from '@edrlake/datasets/ocsf';
import { objectShape } from '../schema/classes.ts';
import { type Attribute, type OcsfVersion, type Shape, siblingOf } from '../schema/facts.ts';
import { leafOf, type Node, type ObjectNode } from './node.ts';
import { attributeSql, columnSql, computedSql, memberSql } from './values.ts';

/** Where the attributes of an object are: SQL of one of them by its name. */
export type Root = (attribute: string) => string;

/** A column that can be read back from attributes. */
export interface ReadBack {
  readonly column: string;
  /** Dotted path of the attribute, for the documentation. */
  readonly path: string;
  /** SQL of the value of the column. */
  readonly sql: (root: Root, isThere: string) => string;
}

/** An object, and the columns that can be read back from it. */
export interface Built {
  readonly object: ObjectNode;
  readonly readBacks: readonly ReadBack[];
}

/** What rows are read from. */
export interface BuildContext {
  readonly version: OcsfVersion;
  /** Types of the columns by name. */
  readonly columns: ReadonlyMap<string, ColumnType>;
}

const SEGMENT = /^(\w+)(?:\[(?:(\w+)=(\d+))?\])?$/;

/** Makes the object of some rows. @throws {EdrlakeError} `BUG` for a mapping that does not fit the facts */
export function buildObject(name: string, shape: Shape, rows: readonly OcsfRow[], context: BuildContext): Built {
  const object: ObjectNode = { kind: 'object', name, shape, members: new Map() };
  const readBacks = rows.flatMap(([path, feed]) => addRow(object, path, feed, context));
  return { object, readBacks };
}

function addRow(object: ObjectNode, path: string, feed: OcsfFeed, context: BuildContext): ReadBack[] {
  if ('presenceSays' in feed) {
    return [{ column: feed.presenceSays, path, sql: (_root, isThere) => `CASE WHEN ${isThere} THEN TRUE END` }];
  }
  const segments = path.split('.');
  let holder = object;
  let reach: (root: Root) => Root = (root) => root;
  for (const segment of segments.slice(0, -1)) {
    const inner = enter(holder, segment, context);
    if (inner === null) return [];
    const above = reach;
    reach = (root) => (name) => memberSql(inner.sql(above(root)), name);
    holder = inner.object;
  }
  const name = segments.at(-1) ?? '';
  const attribute = holder.shape.attributes.get(name);
  if (attribute === undefined) return [];
  return addLeaf(holder, attribute, feed, context).map(({ column, sql }) => ({
    column,
    path,
    sql: (root) => sql(reach(root)),
  }));
}

/** The object inside another one at a part of a path; null where the version does not have it. */
function enter(
  holder: ObjectNode,
  segment: string,
  context: BuildContext,
): { readonly object: ObjectNode; readonly sql: (root: Root) => string } | null {
  const [, name = '', key, id] = SEGMENT.exec(segment) ?? [];
  const attribute = holder.shape.attributes.get(name);
  if (attribute === undefined) return null;
  const shape = objectShape(attribute.type, context.version);
  const make = (): ObjectNode => ({ kind: 'object', name: attribute.type, shape, members: new Map() });
  if (!attribute.isList) {
    const found = holder.members.get(name);
    const object = found?.kind === 'object' ? found : make();
    holder.members.set(name, object);
    return { object, sql: (root) => root(name) };
  }
  const found = holder.members.get(name);
  const list =
    found?.kind === 'list'
      ? found
      : ({ kind: 'list', isRequired: attribute.isRequired, elements: new Map<string, ObjectNode>() } as const);
  holder.members.set(name, list);
  const object = list.elements.get(segment) ?? make();
  list.elements.set(segment, object);
  if (key === undefined || id === undefined) return { object, sql: (root) => `(${root(name)})[1]` };
  setConstant(object, requireAttribute(object, key), Number(id));
  const isIt = `lambda e: ${memberSql('e', key)} = ${id}`;
  return { object, sql: (root) => `list_filter(${root(name)}, ${isIt})[1]` };
}

interface LeafReadBack {
  readonly column: string;
  readonly sql: (root: Root) => string;
}

function addLeaf(holder: ObjectNode, attribute: Attribute, feed: OcsfFeed, context: BuildContext): LeafReadBack[] {
  const { name } = attribute;
  if ('column' in feed) {
    const type = typeOf(feed.column, context);
    holder.members.set(name, leafOf(attributeSql(attribute, type, quoteName(feed.column), context.version)));
    return [{ column: feed.column, sql: (root) => columnSql(type, attribute.type, root(name)) }];
  }
  if ('constant' in feed) {
    setConstant(holder, attribute, feed.constant);
    return [];
  }
  if ('computed' in feed) {
    holder.members.set(name, leafOf(computedSql(attribute, feed.computed, context.version)));
    return [];
  }
  if ('bands' in feed) {
    addBands(holder, attribute, feed);
    return [];
  }
  if ('oneOf' in feed) return [addOneOf(holder, attribute, feed, typeOf(feed.oneOf, context))];
  return [];
}

function typeOf(column: string, { columns }: BuildContext): ColumnType {
  const type = columns.get(column);
  if (type === undefined) throw new EdrlakeError('BUG', `there is no column ${column}`);
  return type;
}

function addBands(
  holder: ObjectNode,
  attribute: Attribute,
  { bands, from }: Extract<OcsfFeed, { readonly bands: string }>,
): void {
  const value = quoteName(bands);
  const pick = (of: (id: number) => string) => {
    const cases = from.toReversed().map(([least, id]) => `WHEN ${value} >= ${least} THEN ${of(id)}`);
    return `CASE ${cases.join(' ')} ELSE ${of(0)} END`;
  };
  setPair(
    holder,
    attribute,
    pick(String),
    pick((id) => quoteText(captionOf(attribute, id))),
    null,
  );
}

const OTHER = 99;

function addOneOf(
  holder: ObjectNode,
  attribute: Attribute,
  { oneOf, ids }: Extract<OcsfFeed, { readonly oneOf: string }>,
  type: ColumnType,
): LeafReadBack {
  const column = quoteName(oneOf);
  const text = type === 'text' ? column : `${column}::VARCHAR`;
  const known = Object.entries(ids).filter(([, id]) => id !== OTHER);
  const pick = (of: (id: number) => string, unknown: string, other: string) => {
    const cases = known.map(([source, id]) => `WHEN ${text} = ${quoteText(source)} THEN ${of(id)}`);
    return `CASE WHEN ${column} IS NULL THEN ${unknown} ${cases.join(' ')} ELSE ${other} END`;
  };
  setPair(
    holder,
    attribute,
    pick(String, '0', String(OTHER)),
    pick((id) => quoteText(captionOf(attribute, id)), quoteText(captionOf(attribute, 0)), text),
    `${column} IS NOT NULL`,
  );
  const back = new Map(known.toReversed().map(([source, id]) => [id, source]));
  return {
    column: oneOf,
    sql: (root) => {
      const cases = [...back].map(([id, source]) => `WHEN ${id} THEN ${quoteText(source)}`);
      const sibling = root(siblingOf(attribute.name));
      const found = `CASE ${root(attribute.name)} ${cases.join(' ')} WHEN ${OTHER} THEN ${sibling} END`;
      return columnSql(type, 'string_t', found);
    },
  };
}

function captionOf({ name, ids }: Attribute, id: number): string {
  const caption = ids?.[id];
  if (caption === undefined) throw new EdrlakeError('BUG', `${name} has no id ${id}`);
  return caption;
}

function setPair(holder: ObjectNode, attribute: Attribute, id: string, caption: string, says: string | null): void {
  holder.members.set(attribute.name, { kind: 'leaf', value: id, isThere: 'TRUE', says });
  const sibling = requireAttribute(holder, siblingOf(attribute.name));
  holder.members.set(sibling.name, { kind: 'leaf', value: caption, isThere: 'TRUE', says: null });
}

/** With the caption of an enum attribute, unless something else was said about it. */
export function setConstant(holder: ObjectNode, attribute: Attribute, value: string | number | boolean): void {
  const set = (name: string, constant: string | number | boolean) => {
    const sql = typeof constant === 'string' ? quoteText(constant) : String(constant);
    holder.members.set(name, { kind: 'leaf', value: sql, isThere: 'TRUE', says: null } satisfies Node);
  };
  set(attribute.name, value);
  if (attribute.ids === null) return;
  const sibling = siblingOf(attribute.name);
  if (holder.shape.attributes.has(sibling) && !holder.members.has(sibling)) {
    set(sibling, captionOf(attribute, Number(value)));
  }
}

function requireAttribute({ name, shape }: ObjectNode, attribute: string): Attribute {
  const found = shape.attributes.get(attribute);
  if (found === undefined) throw new EdrlakeError('BUG', `${name} has no attribute ${attribute}`);
  return found;
}
