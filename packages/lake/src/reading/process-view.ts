import { type ProcessColumns, type ProcessNames, quoteName } from '@edrlake/core';

/** The view of `processEdgesSql`. */
export const PROCESS_EDGES = 'process_edges';

/** What the view says, for tools that show it. */
export const PROCESS_EDGES_MEANING =
  'a row for each process that started a process (started) or did what an event reports (acted); parent_event_id is NULL where no earlier event of the host is about the parent';

/**
 * A row for each relation of two processes, or of a process and an event, over the view `events`. `parent_event_id` is
 * the newest event of the same host, at that time or before, that is about a process with the parent's id: another
 * process may have had the id before. NULL: the parent is an orphan's ghost.
 */
export function processEdgesSql({ subject, actor }: ProcessColumns): string {
  const edges = [
    edgeSql('started', quoteName(subject.parent), 'NULL::VARCHAR', quoteName(subject.id), quoteName(subject.name)),
    edgeSql('acted', quoteName(actor.id), quoteName(actor.name), 'NULL::BIGINT', 'NULL::VARCHAR'),
    ...(actor.parent === undefined
      ? []
      : [edgeSql('started', quoteName(actor.parent), 'NULL::VARCHAR', ...ofActor(actor))]),
  ];
  const known = `SELECT agent_id, event_time, event_id, ${quoteName(subject.id)} AS process, ${quoteName(subject.name)} AS name FROM events WHERE ${quoteName(subject.id)} IS NOT NULL`;
  const columns = [
    ...['e.event_date', 'e.event_time', 'e.event_id', 'e.agent_id'],
    ...['e.kind', 'e.parent_id', 'coalesce(e.parent_name, p.name) AS parent_name', 'e.child_id', 'e.child_name'],
    'p.event_id AS parent_event_id',
  ];
  return `SELECT ${columns.join(', ')} FROM (${edges.join(' UNION ALL ')}) e ASOF LEFT JOIN (${known}) p ON e.agent_id = p.agent_id AND e.parent_id = p.process AND e.event_time >= p.event_time`;
}

function ofActor(actor: ProcessNames): [string, string] {
  return [quoteName(actor.id), quoteName(actor.name)];
}

function edgeSql(kind: string, parentId: string, parentName: string, childId: string, childName: string): string {
  return `SELECT event_date, event_time, event_id, agent_id, '${kind}' AS kind, ${parentId} AS parent_id, ${parentName} AS parent_name, ${childId} AS child_id, ${childName} AS child_name FROM events WHERE ${parentId} IS NOT NULL`;
}
