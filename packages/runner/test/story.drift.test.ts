import { parseRange, type TimeRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { driftSql } from '../src/investigate/drift-sql.ts';
import { onStage, rowsOf, type Stage } from './flow-stage.ts';

const TWO_DAYS = parseRange('2020-08-17', '2020-08-18');

const drift = async (lake: Stage['lake'], table: string | null, range: TimeRange | null) =>
  rowsOf(
    lake,
    `SELECT "table", path, first_day, last_day, rows, percent, types::VARCHAR, documented FROM (${driftSql(lake.dataset, table, range)})`,
  );

describe('drift', () => {
  it('has each path of extra once, with what plain SQL finds of it', () =>
    onStage({ events: 4_000, range: TWO_DAYS }, async ({ lake, backfill }) => {
      await backfill(TWO_DAYS);
      const found = await drift(lake, null, null);
      expect(new Set(found.map(([table, path]) => `${table} ${path}`)).size).toBe(found.length);
      const [[total] = []] = await rowsOf(lake, 'SELECT count(*) FROM events');
      const events = found.filter(([table]) => table === 'events');
      expect(events.length).toBeGreaterThan(3);
      for (const [, path, first, last, rows, percent] of events) {
        const value = `json_extract(extra, '/${path?.replaceAll('.', '/')}')`;
        const has = `${value} IS NOT NULL AND json_type(${value}) <> 'NULL'`;
        const sql = `SELECT count(*), min(event_date), max(event_date) FROM events WHERE ${has}`;
        expect([path, ...((await rowsOf(lake, sql))[0] ?? [])]).toEqual([path, rows, first, last]);
        expect(Number(percent)).toBeCloseTo((100 * Number(rows)) / Number(total), 3);
      }
      expect(events.find(([, path]) => path === 'actor.type')?.at(-1)).toBe('true');
    }));

  it('keeps to a table and a range', () =>
    onStage({ events: 4_000, range: TWO_DAYS }, async ({ lake, backfill }) => {
      await backfill(TWO_DAYS);
      const day = parseRange('2020-08-18', '2020-08-18');
      const found = await drift(lake, 'events', day);
      expect(new Set(found.flatMap(([table, , first, last]) => [table, first, last]))).toEqual(
        new Set(['events', '2020-08-18']),
      );
      expect(() => driftSql(lake.dataset, 'event', null)).toThrow(/no table event/);
      expect(() => driftSql(lake.dataset, 'rejects', null)).toThrow(/no table rejects/);
    }));
});
