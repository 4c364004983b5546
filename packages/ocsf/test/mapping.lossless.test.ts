import { QUALYS_EDR } from '@edrlake/datasets';
import { expect, test } from 'vitest';
import { type GoldenCase, goldenCases } from '../../../test/fixtures/golden.ts';
import { OCSF_VERSIONS } from '../src/index.ts';
import { roundTrip } from './lossless.ts';
import { drawing, type Rows, randomRows } from './random-lake.ts';

const NONE = { missing: 0, invented: 0 };
const ALL = { events: NONE, certificates: NONE, indicators: NONE, interfaces: NONE, asset_tags: NONE };

test.each(OCSF_VERSIONS)('OCSF %s: every event is published, and comes back as it was', async (version) => {
  expect(await roundTrip(QUALYS_EDR, version, randomRows(QUALYS_EDR, 400, drawing(20_200_817)))).toEqual({
    published: 400,
    wrong: 0,
    classes: [0, 1001, 1003, 1007, 4001, 201001, 201002],
    differences: ALL,
  });
});

test.each(OCSF_VERSIONS)('OCSF %s: the sample payloads come back as they were', async (version) => {
  const rows = rowsOf(goldenCases());
  expect(rows.get('events')?.length).toBeGreaterThan(4);
  expect(await roundTrip(QUALYS_EDR, version, rows)).toEqual({
    published: rows.get('events')?.length,
    wrong: 0,
    classes: [1001],
    differences: ALL,
  });
});

/** The golden rows of all payloads; a payload and its details have one id, so the ids are made different. */
function rowsOf(cases: readonly GoldenCase[]): Rows {
  return new Map(
    QUALYS_EDR.tables.map(({ name, columns }) => {
      const isJson = (column: string) => columns.some((spec) => spec.name === column && spec.type === 'json');
      const isTime = (column: string) => columns.some((spec) => spec.name === column && spec.type === 'timestamp');
      const ofTable = cases.flatMap(({ name: payload, tables }) =>
        (tables[name] ?? []).map((row) => {
          const values = Object.entries(row).map(([column, value]) => {
            if (isJson(column)) return [column, JSON.stringify(value)] as const;
            return [column, isTime(column) ? String(value).replace('T', ' ').replace('Z', '') : value] as const;
          });
          const event = { event_date: String(row.event_time).slice(0, 10), event_id: `${payload} ${row.event_id}` };
          return { ...Object.fromEntries(values), ...event };
        }),
      );
      return [name, ofTable] as const;
    }),
  );
}
