import { expect, test } from 'vitest';
import { filled, newS3Server, openRemote } from './object-lakes.ts';
import { ask } from './opened-lakes.ts';

test('a statement over an object store reads each table that it names, in any form', async () => {
  const server = await newS3Server();
  await (await filled(server)).close();
  // Without copies of its own, a machine brings what the statement names.
  const counted = async (sql: string) => ask(await openRemote(server, { readOnly: true }), sql);
  const children = 'SELECT event_id FROM certificates';
  const statements: readonly (readonly [string, readonly unknown[]])[] = [
    ['SELECT count(event_id)::INTEGER FROM events', [3]],
    [`WITH c AS (${children}) SELECT count(*)::INTEGER FROM events LEFT JOIN c USING (event_id) WHERE score = 1`, [3]],
    [
      `WITH e AS MATERIALIZED (FROM "events"), c AS (${children})
       SELECT count(c.event_id)::INTEGER FROM e LEFT JOIN c USING (event_id)`,
      [3],
    ],
    [
      `WITH RECURSIVE t AS (SELECT 1 AS n UNION ALL SELECT n + 1 FROM t JOIN events ON n < 2 AND event_id = 'a')
       SELECT count(*)::INTEGER FROM t`,
      [2],
    ],
    ['SELECT count(*)::INTEGER FROM (PIVOT EVENTS ON score IN (1) USING count(*) GROUP BY event_id)', [3]],
    ["SELECT count(event_id)::INTEGER FROM query_table('ev' || 'ents')", [3]],
    ["SELECT count(*)::INTEGER FROM (SELECT $$it's$$ AS t) JOIN events ON t <> 'x' -- it's", [3]],
    ["SELECT count(event_id)::INTEGER FROM query('FROM ev' || 'ents')", [3]],
  ];
  for (const [sql, row] of statements) expect(await counted(sql), sql).toEqual([row]);
});
