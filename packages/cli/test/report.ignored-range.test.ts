import { expect, it } from 'vitest';
import { ignoredRangeLines } from '../src/render/report-text.ts';

const WINDOW = {
  windowId: 'e1',
  range: { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) },
  counted: 3,
  fetched: 3,
  distinct: 3,
};

it('a range that the API ignored leads to doctor, not to another attempt', () => {
  const [firstMs, lastMs] = [Date.UTC(2020, 7, 19, 3), Date.UTC(2020, 7, 20, 4)];
  const outside = { events: 3, firstMs, lastMs, firstDay: '2020-08-19', lastDay: '2020-08-20' };
  const lines = ignoredRangeLines([WINDOW, { ...WINDOW, outside }]);
  expect(lines?.join('\n')).toContain('did not keep to the time range: 3 events of other times came');
  expect(lines?.join('\n')).toContain('Expected  2020-08-17T00:00:00Z to 2020-08-18T00:00:00Z');
  expect(lines?.join('\n')).toContain('Found     2020-08-19T03:00:00Z to 2020-08-20T04:00:00Z');
  expect(lines?.join('\n')).toContain('edrlake doctor');
  for (const line of lines ?? []) expect(line.length).toBeLessThanOrEqual(80);
});

it('other mismatches say nothing about the range', () => {
  expect(ignoredRangeLines([WINDOW])).toBeNull();
});
