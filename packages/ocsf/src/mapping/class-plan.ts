import { type ColumnSpec, type Dataset, EdrlakeError, quoteName, quoteText, type TableSpec } from '@edrlake/core';
import type { OcsfChild, OcsfClassMapping, OcsfFindings, OcsfMapping, OcsfRow } from '@edrlake/datasets/ocsf';
import { type ClassFacts, classNamed, objectShape } from '../schema/classes.ts';
import { type OcsfVersion, type Shape, shapeOf } from '../schema/facts.ts';
import { type BuildContext, type Built, buildObject, setConstant } from './build.ts';
import { leafOf, type ObjectNode } from './node.ts';

/** One class that a version of OCSF gives some events, ready to be written as SQL. */
export interface ClassPlan {
  readonly facts: ClassFacts;
  readonly shape: Shape;
  readonly version: OcsfVersion;
  readonly built: Built;
  /** In the order in which they are listed; those without a place in this version are in it, too. */
  readonly children: readonly ChildPlan[];
}

/** A child table of the events of a class. */
export interface ChildPlan {
  readonly table: TableSpec;
  /** Where its rows go; null where the version has no place for them. */
  readonly place: {
    readonly path: string;
    readonly isList: boolean;
    readonly built: Built;
    /** The objects that the list is in, from outside; without all of them there is no list. */
    readonly holders: readonly ObjectNode[];
  } | null;
  readonly fromEvent: readonly string[];
}

/** All classes of a dataset in one version. */
export interface MappingPlan {
  readonly version: OcsfVersion;
  readonly dataset: Dataset;
  readonly events: TableSpec;
  readonly mapping: OcsfMapping;
  /** By event type: the classes in the order of preference, the one that takes all events last. */
  readonly types: ReadonlyMap<string, readonly ClassPlan[]>;
  readonly others: ClassPlan;
  readonly findings: readonly (ClassPlan & { readonly source: OcsfFindings; readonly table: TableSpec })[];
}

/** Columns of child tables that say which event and place they belong to. */
export const CHILD_KEYS: ReadonlySet<string> = new Set(['event_date', 'event_id', 'event_time']);

/** The SQL name of the list of objects that a child table became, within one event. */
export function childListName(table: string): string {
  return quoteName(`#list ${table}`);
}

/** @throws {EdrlakeError} `BUG` for a mapping that does not fit the facts of the schema */
export function planMapping(dataset: Dataset, mapping: OcsfMapping, version: OcsfVersion): MappingPlan {
  const events = tableNamed(dataset, 'events');
  const context: BuildContext = { version, columns: typesOf(events.columns) };
  const plan = (ofClass: OcsfClassMapping) => planClass(dataset, ofClass, context);
  const others = plan(mapping.others);
  return {
    version,
    dataset,
    events,
    mapping,
    others,
    types: new Map(
      Object.entries(mapping.types).map(([type, classes]) => [type, [...classes.map(plan), others]] as const),
    ),
    findings: mapping.findings.map((source) => {
      const table = tableNamed(dataset, source.table);
      const named = table.columns.map(({ name, type }) => [`${source.table}.${name}`, type] as const);
      const columns = new Map([...context.columns, ...named]);
      return { ...planRows(source.className, source.rows, { version, columns }), children: [], source, table };
    }),
  };
}

function planClass(
  dataset: Dataset,
  { className, rows, children }: OcsfClassMapping,
  context: BuildContext,
): ClassPlan {
  const plan = planRows(className, rows, context);
  const { object } = plan.built;
  const tables = dataset.tables.filter(({ arrays, partitionBy }) => arrays !== null && partitionBy === 'event_date');
  return {
    ...plan,
    children: tables.map((table) => {
      const ofTable = children.filter((child) => child.table === table.name);
      const [placed] = ofTable.flatMap((child) => placeChild(object, table, child, context) ?? []);
      return { table, place: placed ?? null, fromEvent: ofTable[0]?.fromEvent ?? [] };
    }),
  };
}

function planRows(className: string, rows: readonly OcsfRow[], context: BuildContext) {
  const facts = classNamed(className);
  const shape = shapeOf(facts, context.version);
  const built = buildObject(className, shape, rows, context);
  addFrame(built.object, facts, context.version);
  return { facts, shape, version: context.version, built, children: [] as readonly ChildPlan[] };
}

/** Sets the list of a child table in the object where the version has a place for it. */
function placeChild(
  object: ObjectNode,
  table: TableSpec,
  { path, rows }: OcsfChild,
  context: BuildContext,
): ChildPlan['place'] {
  const segments = path.split('.');
  const name = segments.at(-1) ?? '';
  const holders: ObjectNode[] = [];
  let holder = object;
  for (const segment of segments.slice(0, -1)) {
    const member = holder.members.get(segment);
    if (member?.kind !== 'object') return null;
    holder = member;
    holders.push(member);
  }
  const attribute = holder.shape.attributes.get(name);
  if (attribute === undefined) return null;
  const shape = objectShape(attribute.type, context.version);
  const built = buildObject(attribute.type, shape, rows, { ...context, columns: typesOf(table.columns) });
  const list = childListName(table.name);
  const value = attribute.isList ? list : `${list}[1]`;
  // It says nothing about the event, which is classified before its lists are made.
  holder.members.set(name, { kind: 'leaf', value, isThere: `${list} IS NOT NULL`, says: null });
  return { path, isList: attribute.isList, built, holders };
}

/** What every event of a class says about the class. */
function addFrame(object: ObjectNode, facts: ClassFacts, version: OcsfVersion): void {
  const { attributes } = object.shape;
  const set = (name: string, value: string | number) => {
    const attribute = attributes.get(name);
    if (attribute !== undefined) setConstant(object, attribute, value);
  };
  set('class_uid', facts.uid);
  set('class_name', facts.caption);
  set('category_uid', facts.categoryUid);
  set('category_name', facts.category);
  const activity = object.members.get('activity_id');
  const activityName = object.members.get('activity_name');
  if (activity?.kind !== 'leaf' || activityName?.kind !== 'leaf') {
    throw new EdrlakeError('BUG', `${facts.name} requires activity_id, which nothing feeds`);
  }
  object.members.set('type_uid', leafOf(`(${facts.uid}::BIGINT * 100 + ${activity.value})`));
  object.members.set('type_name', leafOf(`(${quoteText(`${facts.caption}: `)} || ${activityName.value})`));
  const metadata = object.members.get('metadata');
  if (metadata?.kind !== 'object')
    throw new EdrlakeError('BUG', `${facts.name} requires metadata, which nothing feeds`);
  const setSql = (name: string, value: string) =>
    metadata.members.set(name, { kind: 'leaf', value, isThere: 'TRUE', says: null });
  setSql('version', quoteText(version));
  const profiles = [...object.members.keys()].map((name) => attributes.get(name)?.profile ?? null);
  const used = [...new Set(profiles)].filter((profile) => profile !== null).sort();
  if (used.length > 0) setSql('profiles', `[${used.map(quoteText).join(', ')}]`);
  if (facts.extension !== null) {
    const { name, uid } = facts.extension;
    setSql('extensions', `[{name: ${quoteText(name)}, uid: ${quoteText(uid)}, version: ${quoteText(version)}}]`);
  }
}

function typesOf(columns: readonly ColumnSpec[]): Map<string, ColumnSpec['type']> {
  return new Map(columns.map(({ name, type }) => [name, type]));
}

function tableNamed({ tables, name: dataset }: Dataset, name: string): TableSpec {
  const found = tables.find((table) => table.name === name);
  if (found === undefined) throw new EdrlakeError('BUG', `${dataset} has no table ${name}`);
  return found;
}
