import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseRange } from '@edrlake/core';
import { describe, expect, it } from 'vitest';
import { connect } from '../src/connect/connect.ts';
import { OPTIONS, onStage, rowsOf, type Stage } from './flow-stage.ts';

const DAY = parseRange('2020-08-17', '2020-08-17');
const NEXT_DAY = parseRange('2020-08-18', '2020-08-18');
const BOTH_DAYS = { startMs: DAY.startMs, endMs: NEXT_DAY.endMs };
const EVENTS = { events: 1_200, range: BOTH_DAYS, seed: 5, settings: { pageSize: 100, maxResultWindow: 1_000 } };
const ALWAYS = { match: { endpoint: 'events' }, times: 1_000_000 } as const;

describe('a gateway that gives smaller pages than it is asked for', () => {
  it.each([
    { kind: 'page-cap', largest: 50 },
    { kind: 'page-size-refused', largest: 50 },
  ] as const)('$kind: all events arrive, and the report, an event and later runs know', async (fault) => {
    await onStage(EVENTS, async ({ simulator, backfill, lake, events, connection, ends, services }) => {
      simulator.faults.push({ ...fault, ...ALWAYS });
      const first = await backfill(DAY);
      expect(first).toMatchObject({ outcome: 'done', pageSize: { asked: 100, given: 50 } });
      expect(events).toContainEqual({ type: 'page-size', asked: 100, given: 50 });
      const inDay = await rowsOf(lake, 'select count(*), count(distinct event_id) from events');
      expect(inDay).toEqual([[String(first.events.counted), String(first.events.counted)]]);

      // Another process: it has not seen this, and learns it from the lake.
      await connection.close();
      const settings = {
        baseUrl: simulator.url,
        username: 'demo',
        password: 'demo',
        pageSize: 100,
        maxResultWindow: 1_000,
      };
      const later = connect(settings, services());
      try {
        const asked = () => simulator.calls.of('events').map(({ params }) => params.pageSize);
        const before = asked().length;
        const { exportRange } = await import('../src/export/export-flow.ts');
        const request = { axis: 'event', ranges: [{ range: NEXT_DAY }], scope: { filter: null, state: null } } as const;
        const laterEnds = { ...ends, source: later.source, requestsMade: later.requestsMade };
        const options = { concurrency: 2, batchBytes: 1_000_000, force: false, replace: false };
        const second = await exportRange(laterEnds, request, options, services());
        expect(second.outcome).toBe('done');
        expect(new Set(asked().slice(before))).toEqual(new Set(['50']));
        expect(second.requestsMade).toBeLessThan(1.25 * Math.ceil(second.events.counted / 50) + 10);
      } finally {
        await later.close();
      }
    });
  });

  it('a smaller result window is learned by one refusal, and later runs know it', async () => {
    const refusals = ({ simulator }: Stage) =>
      simulator.calls.of('events').filter(({ status }) => status === 400).length;
    const options = { ...EVENTS, resultWindow: 300, pageSizeMax: 100, settings: { pageSize: 100 } };
    await onStage(options, async (stage) => {
      const { simulator, backfill, ends, services, connection } = stage;
      expect((await backfill(DAY)).outcome).toBe('done');
      const learning = refusals(stage);
      expect(learning).toBeGreaterThan(0);

      await connection.close();
      const settings = { baseUrl: simulator.url, username: 'demo', password: 'demo', pageSize: 100 };
      const later = connect(settings, services());
      try {
        const { exportRange } = await import('../src/export/export-flow.ts');
        const request = { axis: 'event', ranges: [{ range: NEXT_DAY }], scope: { filter: null, state: null } } as const;
        const laterEnds = { ...ends, source: later.source, requestsMade: later.requestsMade };
        expect((await exportRange(laterEnds, request, OPTIONS, services())).outcome).toBe('done');
        expect(refusals(stage)).toBe(learning);
      } finally {
        await later.close();
      }
    });
  });

  it('a run that failed before it was sure is resumed, and finds out without requesting its pages again', async () => {
    await onStage({ ...EVENTS, settings: { pageSize: 100, maxResultWindow: 10_000 } }, async (stage) => {
      const { simulator, backfill, lake, pagesServed } = stage;
      simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'events', page: 12 }, times: 50 });
      simulator.faults.push({ kind: 'page-cap', largest: 40, ...ALWAYS });
      const first = await backfill(DAY);
      expect(first.outcome).toBe('partly');
      simulator.faults.clear();
      simulator.faults.push({ kind: 'page-cap', largest: 40, ...ALWAYS });
      const before = pagesServed();
      const second = await backfill(DAY);
      expect(second).toMatchObject({ outcome: 'done', resumed: true, pageSize: { asked: 100, given: 40 } });
      // The pages after the one that failed, and those that were in flight with it.
      expect(pagesServed() - before).toBeLessThanOrEqual(Math.ceil(second.events.counted / 40) - 10);
      const journal = await readFile(join(lake.directory, '_runs', `${second.runId}.jsonl`), 'utf8');
      expect(journal).toContain('"type":"page-size"');
    });
  });
});
