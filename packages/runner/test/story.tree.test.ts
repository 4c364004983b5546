import { MS_PER_DAY, parseRange } from '@edrlake/core';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Absence } from '../src/investigate/absence.ts';
import {
  forestOf,
  type ProcessNode,
  processTable,
  type SeenProcess,
  type TreeBounds,
  treeAround,
} from '../src/investigate/process-tree.ts';
import { ghostReason, treeOfEvent, treeOfHost } from '../src/investigate/read-tree.ts';
import { onStage, rowsOf } from './flow-stage.ts';

const seen = (atMs: number, processId: string, parentId: string | null, name = `p${processId}`): SeenProcess => ({
  ...{ eventId: `${processId}@${atMs}`, atMs, processId, name, parentId, arguments: null, user: null },
});
const BOUNDS: TreeBounds = { depth: 50, children: 1_000, ghostReason: () => 'before' };
const named = (process: SeenProcess) => ({ ...process, startedMs: null });
const shape = ({ processId, firstSeenMs, children }: ProcessNode): unknown => [
  processId,
  firstSeenMs,
  children.map(shape),
];
const all = (node: ProcessNode): ProcessNode[] => [node, ...node.children.flatMap(all)];

describe('a process tree', () => {
  it('takes the process that had the id when the child was seen, not a later one', () => {
    const [old, child, late] = [seen(1, '7', null, 'old.exe'), seen(2, '8', '7'), seen(3, '7', null, 'new.exe')];
    const root = treeAround(processTable([old, child, late]), named(child), BOUNDS);
    expect([root.name, shape(root)]).toEqual(['old.exe', ['7', 1, [['8', 2, []]]]]);
    expect(shape(treeAround(processTable([old, child, late]), named(late), BOUNDS))).toEqual(['7', 3, []]);
  });

  it('makes a ghost of a parent without an event, and of an actor whose id another process had', () => {
    const table = processTable([seen(5, '7', '3', 'a.exe')]);
    const root = treeAround(table, named(seen(5, '7', '3', 'a.exe')), BOUNDS);
    expect([root.processId, root.ghost, root.children[0]?.isAsked]).toEqual(['3', 'before', true]);
    const actor = treeAround(table, { ...named(seen(6, '7', null, 'B.EXE')) }, BOUNDS);
    expect([actor.ghost, actor.name]).toEqual(['before', 'B.EXE']);
    expect(treeAround(table, { ...named(seen(6, '7', null, 'A.EXE')) }, BOUNDS).children[0]?.ghost).toBeNull();
  });

  it('holds every process of a host once, below a process that was seen before it, and ends', () => {
    const process = fc.tuple(
      fc.integer({ min: 0, max: 5 }),
      fc.option(fc.integer({ min: 0, max: 6 })),
      fc.constantFrom('a', 'b'),
    );
    fc.assert(
      fc.property(fc.array(process, { maxLength: 30 }), (given) => {
        const table = processTable(
          given.map(([id, parent, name], at) => seen(at, String(id), parent === null ? null : String(parent), name)),
        );
        const nodes = forestOf(table, BOUNDS).flatMap(all);
        const real = nodes.filter(({ ghost }) => ghost === null);
        expect(real.length).toBe(table.instances.length);
        expect(new Set(real.flatMap(({ eventIds }) => eventIds)).size).toBe(given.length);
        for (const node of nodes.filter(({ ghost }) => ghost === null)) {
          for (const child of node.children) expect(child.firstSeenMs).toBeGreaterThan(node.firstSeenMs ?? 0);
        }
        for (const { process: one } of table.instances) {
          const around = all(treeAround(table, named(one), BOUNDS));
          expect(around.filter(({ isAsked }) => isAsked)).toHaveLength(1);
        }
      }),
    );
  });
});

describe('the reason of a ghost', () => {
  const days = parseRange('2020-08-10', '2020-08-20');
  const gap = {
    ...parseRange('2020-08-15', '2020-08-15'),
    state: 'unplanned',
    filesGone: false,
    sinceMs: null,
  } as const;
  const whole: Absence = { range: days, days: 11, provenDays: 10, unproven: [gap] };
  const noon = (day: number) => days.startMs + (day - 10) * MS_PER_DAY + MS_PER_DAY / 2;
  const looked = parseRange('2020-08-13', '2020-08-20');

  it.each([
    [9, 18, 'before'],
    [15, 18, 'not-fetched'],
    [12, 18, 'outside'],
    [16, 18, 'not-at-api'],
    [null, 18, 'not-fetched'],
    [null, 14, 'outside'],
  ] as const)('of a process that started on day %s and is named on day %s is %s', (started, namedOn, reason) => {
    expect(ghostReason(whole, looked, started === null ? null : noon(started), noon(namedOn))).toBe(reason);
  });

  it('does not say that the API has none while the lake may begin too late', () => {
    expect(ghostReason({ ...whole, unproven: [] }, days, null, noon(18))).toBe('before-or-not-at-api');
  });
});

it('the view process_edges finds the newest event about a parent, as does the tree', () =>
  onStage({ events: 3_000, agents: 3, range: parseRange('2020-08-17', '2020-08-17') }, async ({ lake, backfill }) => {
    const day = parseRange('2020-08-17', '2020-08-17');
    await backfill(day);
    const naive =
      'SELECT e.event_id, (SELECT max(p.event_time) FROM events p WHERE p.agent_id = e.agent_id AND p.process_id = e.process_parent_id AND p.event_time <= e.event_time) FROM events e WHERE e.process_parent_id IS NOT NULL ORDER BY 1';
    const view =
      "SELECT g.event_id, p.event_time FROM process_edges g LEFT JOIN events p ON p.event_id = g.parent_event_id WHERE kind = 'started' ORDER BY 1";
    expect(await rowsOf(lake, view)).toEqual(await rowsOf(lake, naive));
    const [[id, agent] = []] = await rowsOf(
      lake,
      "SELECT event_id, agent_id FROM process_edges WHERE kind = 'started' AND parent_event_id IS NOT NULL LIMIT 1",
    );
    const options = { range: null, depth: 5, children: 10, nowMs: Date.now(), signal: new AbortController().signal };
    const tree = await treeOfEvent(lake, await lake.findEvent(id ?? ''), options);
    const node = tree.roots.flatMap(all).find(({ isAsked }) => isAsked);
    expect([tree.agentId, node?.eventIds.includes(id ?? '')]).toEqual([agent, true]);
    const host = await treeOfHost(lake, agent ?? '', options);
    const [[count] = []] = await rowsOf(
      lake,
      `SELECT count(*) FROM events WHERE agent_id = '${agent}' AND process_id IS NOT NULL`,
    );
    expect(host?.roots.flatMap(all).flatMap(({ eventIds }) => eventIds)).toHaveLength(Number(count));
    expect(await treeOfHost(lake, 'no such host', options)).toBeNull();
  }));
