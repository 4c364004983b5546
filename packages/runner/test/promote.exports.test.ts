import { NO_FILTER, parseRange } from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import { exportRange } from '@edrlake/runner';
import { expect, test } from 'vitest';
import { compareEvent } from '../src/investigate/compare-event.ts';
import { OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const FIRST = parseRange('2020-08-17', '2020-08-17');
const BOTH = parseRange('2020-08-17', '2020-08-18');
const run = { runId: 'test', signal: new AbortController().signal };
/** A path in the `extra` of events and in that of a child table, as the simulated platform delivers them. */
const PLACES = [
  { table: 'events', path: 'asset.sensorBuild', type: 'text', column: 'asset_sensor_build' },
  { table: 'indicators', path: 'confidence', type: 'bigint', column: 'confidence' },
] as const;

const extras = (lake: Stage['lake'], table: string, column = 'NULL') =>
  rowsOf(
    lake,
    `SELECT event_id, ${table === 'events' ? '0' : 'position'}, extra, ${column} FROM ${table} ORDER BY ALL`,
  );

/** What `extra` says together with a value that was taken out of it. */
function whole(extra: string | null | undefined, path: string, value: unknown): unknown {
  const parsed = JSON.parse(extra ?? '{}') as Record<string, unknown>;
  if (value === null) return parsed;
  const [outer = '', inner] = path.split('.');
  if (inner === undefined) return { ...parsed, [outer]: value };
  return { ...parsed, [outer]: { ...(parsed[outer] as object | undefined), [inner]: value } };
}

test('promoted values and the rest are what an export without promotion stores', () =>
  onStage({ events: 4_000, range: BOTH, unknownFieldShare: 0.2 }, async ({ lake, backfill, ends, services }) => {
    const first = await backfill(FIRST);
    expect(first.unknownFields.map(({ path }) => path)).toContain('asset.sensorBuild');
    for (const { column, ...request } of PLACES) {
      expect(await lake.promote(request, run)).toMatchObject({ column, left: 0 });
    }
    // The second day is written with the columns; the first one is delivered again.
    const second = await backfill(BOTH, { force: true });
    expect(second.events).toMatchObject({ changed: 0 });
    expect(second.unknownFields.filter(({ path }) => /sensorBuild|confidence/.test(path))).toEqual([]);
    await onStage({ events: 1, range: BOTH }, async ({ lake: plain }) => {
      const request = { axis: 'event', ranges: [{ range: BOTH }], scope: NO_FILTER } as const;
      await exportRange({ ...ends, lake: plain }, request, OPTIONS, services());
      for (const { table, path, type, column } of PLACES) {
        const found = await extras(lake, table, column);
        expect(found.filter(([, , , value]) => value !== null).length).toBeGreaterThan(1);
        const wholes = found.map(([id, at, extra, text]) => {
          const value = text === null || type === 'text' ? text : Number(text);
          return [id, at, whole(extra, path, value)];
        });
        const expected = await extras(plain, table);
        expect(wholes).toEqual(expected.map(([id, at, extra]) => [id, at, whole(extra, path, null)]));
      }
    });
    expect((await lake.verify(null, run.signal)).findings).toEqual([]);
  }));

test('an event of the API is compared with promoted columns as well', () =>
  onStage({ events: 500, range: FIRST }, async ({ lake, backfill, connection }) => {
    await backfill(FIRST);
    await lake.promote({ path: 'actor.type' }, run);
    const [[id = '', agent] = []] = await rowsOf(
      lake,
      'SELECT event_id, agent_id FROM events WHERE actor_type IS NOT NULL',
    );
    const found = await lake.findEvent(id ?? '');
    const { actor, ...rest } = JSON.parse(await connection.client.eventDetail(agent ?? '', id ?? '', {}, run.signal));
    const differing = async (type: string) => {
      const text = JSON.stringify({ ...rest, actor: { ...actor, type } });
      const differences = compareEvent(DEFAULT_DATASET, text, found, '2026-11-29', await lake.tables());
      return differences.filter(({ column }) => column === 'actor_type').map(({ inApi, inLake }) => [inApi, inLake]);
    };
    expect(await differing('PROCESS')).toEqual([]);
    expect(await differing('THREAD')).toEqual([['THREAD', 'PROCESS']]);
  }));
