import { dayOf, parseRange } from '@edrlake/core';
import { DEFAULT_DATASET } from '@edrlake/datasets';
import { describe, expect, it } from 'vitest';
import { readAbsence } from '../src/investigate/absence.ts';
import { compareEvent } from '../src/investigate/compare-event.ts';
import { explainEvent } from '../src/investigate/explain-event.ts';
import { onStage, rowsOf } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');
const TODAY = dayOf(Date.now());
const signal = new AbortController().signal;

describe('an event of the lake', () => {
  it('names the window that brought it, and the pages of that window', () =>
    onStage({ events: 2_500, range: DAY }, async ({ lake, backfill }) => {
      await backfill(DAY);
      const [[id] = []] = await rowsOf(lake, "SELECT event_id FROM events WHERE event_date = '2020-08-17' LIMIT 1");
      const found = await lake.findEvent(id ?? '');
      const { broughtBy, windows } = await explainEvent(lake, found);
      expect(broughtBy).toMatchObject({ kind: 'stored', commit: { version: 1 } });
      const [window] = windows.filter(({ broughtIt }) => broughtIt);
      const sum = window?.pages?.reduce((records, { recordCount }) => records + recordCount, 0);
      expect([window?.proof.verdict, sum]).toEqual(['proven', window?.proof.fetched]);
    }));

  it('is compared with what the API says, value by value', () =>
    onStage({ events: 500, range: DAY }, async ({ lake, connection, backfill }) => {
      await backfill(DAY);
      const [[id, agent] = []] = await rowsOf(
        lake,
        "SELECT event_id, agent_id FROM events WHERE event_type = 'FILE' LIMIT 1",
      );
      const found = await lake.findEvent(id ?? '');
      const text = await connection.client.eventDetail(agent ?? '', id ?? '', {}, signal);
      const differences = compareEvent(DEFAULT_DATASET, text, found, TODAY);
      expect(differences.find(({ column }) => column === 'event_id')).toBeUndefined();
      const other = compareEvent(DEFAULT_DATASET, text.replace(/"score": ?"?\d+"?/, '"score":7777'), found, TODAY);
      expect(other.filter(({ column, inApi }) => column === 'score' && inApi === 7777)).toHaveLength(1);
    }));

  it('that is not there says nothing about days that are not proven', () =>
    onStage({ events: 500, range: DAY }, async ({ lake, backfill }) => {
      const nowMs = Date.now();
      expect(await readAbsence(lake, null, nowMs)).toMatchObject({ range: null, days: 0 });
      await backfill(DAY);
      expect(await readAbsence(lake, null, nowMs)).toMatchObject({ days: 1, provenDays: 1, unproven: [] });
      const asked = await readAbsence(lake, parseRange('2020-08-16', '2020-08-18'), nowMs);
      expect([asked.days, asked.provenDays, asked.unproven.map(({ startMs }) => dayOf(startMs))]).toEqual([
        3,
        1,
        ['2020-08-16', '2020-08-18'],
      ]);
    }));
});
