import { parseRange } from '@edrlake/core';
import { expect, test } from 'vitest';
import { type EnrichRequest, enrich } from '../src/investigate/enrich.ts';
import { onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAYS = parseRange('2020-08-17', '2020-08-18');
const signal = new AbortController().signal;
const ALL: EnrichRequest = { where: 'score >= 5 -- only these', limit: null, maxRequests: null, concurrency: 2 };

const run = ({ ends, services }: Stage, request: Partial<EnrichRequest> = {}) =>
  enrich(ends, { ...ALL, ...request }, services());
const details = (stage: Stage) => stage.simulator.calls.of('detail').length;
/** All that is stored of events, without what details brought. */
const STORED = 'SELECT * EXCLUDE (extra), extra FROM events ORDER BY event_id';

test('details fill what is empty, change nothing else, and stay when the event is listed again', () =>
  onStage({ events: 1_500, range: DAYS }, async (stage) => {
    const { lake, backfill, connection } = stage;
    await backfill(DAYS);
    const before = await rowsOf(lake, STORED);
    const [[wanted] = []] = await rowsOf(lake, 'SELECT count(*) FROM events WHERE score >= 5');
    const report = await run(stage);
    expect(report).toMatchObject({ outcome: 'done', enriched: Number(wanted), absent: 0, failed: 0, left: 0 });
    expect(details(stage)).toBe(Number(wanted));
    const after = await rowsOf(lake, STORED);
    const changed = after.filter((row, at) => JSON.stringify(row) !== JSON.stringify(before[at]));
    expect(changed).toHaveLength(Number(wanted));
    for (const [at, row] of before.entries()) {
      for (const [column, cell] of row.slice(0, -1).entries())
        if (cell !== null) expect(after[at]?.[column]).toBe(cell);
    }
    const marked = "SELECT count(*) FROM events WHERE json_exists(extra, '$.edrlake.detailsAt')";
    expect(await rowsOf(lake, marked)).toEqual([[wanted]]);
    // What only the details have, against the API.
    const [row = []] = changed;
    const filled = row
      .slice(0, -1)
      .filter((cell, column) => cell !== null && before[after.indexOf(row)]?.[column] === null);
    const [[agent] = []] = await rowsOf(lake, `SELECT agent_id FROM events WHERE event_id = '${row[1]}'`);
    const text = await connection.client.eventDetail(agent ?? '', row[1] ?? '', {}, signal);
    expect(filled.length).toBeGreaterThan(0);
    for (const cell of filled) expect(text).toContain(cell);
    const { writes } = await lake.findEvent(row[1] ?? '');
    expect(writes.map(({ kind, commit }) => [kind, commit?.version])).toEqual([
      ['stored', 1],
      ['replaced', 2],
    ]);
    expect((await run(stage)).requests).toBe(0);
    expect((await backfill(DAYS, { force: true })).events).toMatchObject({ new: 0, changed: 0 });
    expect(await rowsOf(lake, marked)).toEqual([[wanted]]);
    expect((await lake.verify(null, signal)).findings).toEqual([]);
    expect(await rowsOf(lake, 'SELECT event_id FROM events GROUP BY 1 HAVING count(*) > 1')).toEqual([]);
  }));

test('what is absent is remembered, limits leave the rest, and wrong answers are not used', () =>
  onStage({ events: 1_500, range: DAYS }, async (stage) => {
    const { lake, backfill, simulator } = stage;
    await backfill(DAYS);
    const [[gone = ''] = []] = await rowsOf(
      lake,
      'SELECT event_id FROM events WHERE score >= 5 ORDER BY event_time DESC',
    );
    simulator.removeEvents([simulator.truth.indexOf(gone ?? '') ?? -1]);
    const first = await run(stage, { maxRequests: 3 });
    expect(first).toMatchObject({ outcome: 'partly', absent: 1, enriched: 2 });
    expect(first.requests).toBeLessThanOrEqual(3);
    const second = await run(stage, { limit: 2 });
    expect(second).toMatchObject({ outcome: 'partly', absent: 0, enriched: 2, left: first.left - 2 });
    // Each request counts for four, so that the first one takes more than was left.
    const answered = details(stage);
    const costly = { ...stage.ends, requestsMade: () => 4 * (details(stage) - answered) };
    await enrich(costly, { ...ALL, maxRequests: 2, concurrency: 1 }, stage.services());
    expect(details(stage) - answered).toBe(1);
    const any = { where: 'true', limit: 2 };
    const atOnce = await Promise.all([run(stage, any), run(stage, any)]);
    expect(atOnce.map(({ enriched, skipped }) => [enriched, skipped]).sort()).toEqual([
      [0, 2],
      [2, 0],
    ]);
    const source = {
      ...stage.ends.source,
      details: async () => '{"id":"x","dateTime":"2020-08-17T00:00:00.000+0000"}',
    };
    const wrong = await enrich({ ...stage.ends, source }, { ...ALL, limit: 2 }, stage.services());
    expect(wrong).toMatchObject({ enriched: 0, unusable: 2 });
    await expect(run(stage, { where: 'scores >= 5' })).rejects.toMatchObject({ code: 'QUERY_FAILED' });
  }));

test('one refusal costs one event its turn, refusals of all have a reason, and an outage of answers ends it', () =>
  onStage({ events: 1_500, range: DAYS }, async (stage) => {
    const { backfill, simulator } = stage;
    await backfill(DAYS);
    const conflict = { kind: 'status', status: 409, match: { endpoint: 'detail' } } as const;
    simulator.faults.push(conflict);
    const first = await run(stage, { limit: 4 });
    expect(first).toMatchObject({ outcome: 'partly', enriched: 3, failed: 1 });
    simulator.faults.push({ ...conflict, times: 100 });
    const asked = details(stage);
    await expect(run(stage)).rejects.toMatchObject({ code: 'CONFLICT' });
    expect(details(stage) - asked).toBe(4);
    simulator.faults.clear();
    const source = { ...stage.ends.source, details: async () => '{"message":"Search is recovering"}' };
    const strange = await enrich({ ...stage.ends, source }, ALL, stage.services());
    expect(strange).toMatchObject({ outcome: 'partly', enriched: 0, unusable: 4, left: first.left - 4 });
  }));
