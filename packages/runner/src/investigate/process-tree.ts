/** A process as one event shows it. Process ids are text: they may have 64 bits. */
export interface SeenProcess {
  readonly eventId: string;
  readonly atMs: number;
  readonly processId: string;
  readonly name: string | null;
  readonly parentId: string | null;
  readonly arguments: string | null;
  readonly user: string | null;
}

/**
 * Why a process is not in the lake. `not-fetched`: it may be on days that are not proven. `outside`: the lake has
 * older days that were not looked at. `before`: it was started before the first day of the lake. `not-at-api`: the day
 * on which it was started is proven, and the API listed no event of it. `before-or-not-at-api`: one of the two, because
 * no one says when it was started.
 */
export type GhostReason = 'not-fetched' | 'outside' | 'before' | 'not-at-api' | 'before-or-not-at-api';

/** A process, or the ghost of one that others name as their parent. */
export interface ProcessNode {
  readonly processId: string;
  readonly name: string | null;
  readonly arguments: string | null;
  readonly user: string | null;
  /** When it was seen first; null for a ghost. */
  readonly firstSeenMs: number | null;
  /** Events about it, oldest first; none for a ghost. */
  readonly eventIds: readonly string[];
  /** null: it is in the lake. */
  readonly ghost: GhostReason | null;
  /** Whether the tree was asked for about this process. */
  readonly isAsked: boolean;
  /** In the order in which they were seen first. */
  readonly children: readonly ProcessNode[];
  /** Further children that were left out. */
  readonly leftOut: number;
}

/** One process between two uses of its id. */
interface Instance {
  readonly process: SeenProcess;
  readonly eventIds: string[];
}

/** The processes of one host. */
export interface ProcessTable {
  readonly instances: readonly Instance[];
  /** The newest process with this id that was seen at an instant or before; null: none. */
  at(processId: string, atMs: number): Instance | null;
  parentOf(instance: Instance): Instance | null;
  childrenOf(instance: Instance): readonly Instance[];
}

/** What to draw, and how much of it. */
export interface TreeBounds {
  /** Generations above and below. */
  readonly depth: number;
  /** Children of one process that are shown. */
  readonly children: number;
  readonly ghostReason: (startedMs: number | null, namedAtMs: number) => GhostReason;
}

/**
 * Separates processes that had one id after another: neighbouring events with the same id, name and parent are about
 * one process.
 * @param seen of one host, oldest first
 */
export function processTable(seen: readonly SeenProcess[]): ProcessTable {
  const byId = new Map<string, Instance[]>();
  const instances: Instance[] = [];
  for (const process of seen) {
    const ofId = byId.get(process.processId) ?? [];
    const last = ofId.at(-1);
    if (last !== undefined && last.process.name === process.name && last.process.parentId === process.parentId) {
      last.eventIds.push(process.eventId);
      continue;
    }
    const instance = { process, eventIds: [process.eventId] };
    instances.push(instance);
    byId.set(process.processId, [...ofId, instance]);
  }
  const at = (processId: string, atMs: number) =>
    (byId.get(processId) ?? []).findLast(({ process }) => process.atMs <= atMs) ?? null;
  const parentOf = ({ process }: Instance) => {
    const parent = process.parentId === null ? null : at(process.parentId, process.atMs);
    // Process 0 is its own parent on some systems.
    return parent?.process === process ? null : parent;
  };
  const children = new Map<Instance, Instance[]>();
  for (const instance of instances) {
    const parent = parentOf(instance);
    if (parent !== null) children.set(parent, [...(children.get(parent) ?? []), instance]);
  }
  return { instances, at, parentOf, childrenOf: (instance) => children.get(instance) ?? [] };
}

/** A process that an event names, which may not be in the lake itself. */
export interface NamedProcess extends Pick<SeenProcess, 'processId' | 'name' | 'arguments' | 'user' | 'parentId'> {
  /** When the event happened. */
  readonly atMs: number;
  readonly startedMs: number | null;
}

/** The ancestors of a process and its descendants; the topmost ancestor is the root. */
export function treeAround(table: ProcessTable, asked: NamedProcess, bounds: TreeBounds): ProcessNode {
  const found = table.at(asked.processId, asked.atMs);
  // Another name: the id was used by another process before.
  const isSame = found !== null && (asked.name === null || sameName(found.process.name, asked.name));
  const start = isSame ? found : null;
  const own = start === null ? ghostOf(asked, bounds, true) : nodeOf(table, start, bounds, bounds.depth, start);
  const top: NamedProcess = start === null ? asked : { ...start.process, startedMs: null };
  return withAncestors(table, own, start, top, bounds);
}

function withAncestors(
  table: ProcessTable,
  own: ProcessNode,
  start: Instance | null,
  named: NamedProcess,
  bounds: TreeBounds,
): ProcessNode {
  let node = own;
  let [parentId, atMs] = [named.parentId, named.atMs];
  const passed = new Set<Instance>(start === null ? [] : [start]);
  for (let generation = 0; generation < bounds.depth && parentId !== null; generation += 1) {
    const parent = table.at(parentId, atMs);
    if (parent === null || passed.has(parent)) {
      if (parent !== null) return node;
      const nameless = { processId: parentId, name: null, arguments: null, user: null, parentId: null, atMs };
      return { ...ghostOf({ ...nameless, startedMs: null }, bounds, false), children: [node] };
    }
    passed.add(parent);
    const siblings = table.childrenOf(parent).length - (node.ghost === null ? 1 : 0);
    node = { ...plainNode(parent, false), children: [node], leftOut: Math.max(0, siblings) };
    [parentId, atMs] = [parent.process.parentId, parent.process.atMs];
  }
  return node;
}

/** All processes of a host: those without a parent in the lake below a ghost of it, one for each id. */
export function forestOf(table: ProcessTable, bounds: TreeBounds): readonly ProcessNode[] {
  const roots: ProcessNode[] = [];
  const ghosts = new Map<string, { readonly ghost: ProcessNode; readonly children: ProcessNode[] }>();
  for (const instance of table.instances) {
    if (table.parentOf(instance) !== null) continue;
    const node = nodeOf(table, instance, bounds, bounds.depth, null);
    const { parentId, atMs } = instance.process;
    if (parentId === null || parentId === instance.process.processId) {
      roots.push(node);
      continue;
    }
    const nameless = { processId: parentId, name: null, arguments: null, user: null, parentId: null, atMs };
    const known = ghosts.get(parentId) ?? {
      ghost: ghostOf({ ...nameless, startedMs: null }, bounds, false),
      children: [],
    };
    ghosts.set(parentId, known);
    known.children.push(node);
  }
  return [...roots, ...[...ghosts.values()].map(({ ghost, children }) => ({ ...ghost, children }))];
}

function nodeOf(
  table: ProcessTable,
  instance: Instance,
  bounds: TreeBounds,
  depth: number,
  asked: Instance | null,
): ProcessNode {
  const all = table.childrenOf(instance);
  const shown = depth <= 0 ? [] : all.slice(0, bounds.children);
  return {
    ...plainNode(instance, instance === asked),
    children: shown.map((child) => nodeOf(table, child, bounds, depth - 1, asked)),
    leftOut: all.length - shown.length,
  };
}

function plainNode({ process, eventIds }: Instance, isAsked: boolean): ProcessNode {
  const { processId, name, arguments: words, user, atMs } = process;
  return {
    processId,
    name,
    arguments: words,
    user,
    firstSeenMs: atMs,
    eventIds,
    ghost: null,
    isAsked,
    children: [],
    leftOut: 0,
  };
}

function ghostOf(named: NamedProcess, { ghostReason }: TreeBounds, isAsked: boolean): ProcessNode {
  const { processId, name, arguments: words, user, startedMs, atMs } = named;
  return {
    ...{ processId, name, arguments: words, user, firstSeenMs: null, eventIds: [] },
    ...{ ghost: ghostReason(startedMs, atMs), isAsked, children: [], leftOut: 0 },
  };
}

function sameName(a: string | null, b: string): boolean {
  return a === null || a.toLowerCase() === b.toLowerCase();
}
