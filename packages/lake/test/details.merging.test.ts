import type { TableSpec } from '@edrlake/core';
import { expect, test } from 'vitest';
import { type EventRows, mergedRows } from '../src/maintenance/merge-details.ts';
import { SMALL_TABLES } from './small-lake.ts';

const TABLES = SMALL_TABLES.filter(({ partitionBy }) => partitionBy === 'event_date') as readonly TableSpec[];
const AT = '2026-11-29T10:00:00.000Z';
const KEYS = { event_date: 18_491, event_id: 'a', event_time: 1_597_622_400_000 };
const merged = (stored: EventRows, details: EventRows) => mergedRows(TABLES, stored, details, AT);

test('details fill what is empty, and what they say otherwise is kept beside it', () => {
  const stored = {
    events: [{ ...KEYS, processed_time: 5, agent_id: 'a1', score: null, extra: '{"file":{"size":1.10,"x":1}}' }],
    certificates: [{ ...KEYS, position: 0, issuer: null }],
  };
  const details = {
    events: [
      { event_id: 'series', event_type: 'FILE', agent_id: 'a2', score: 7, extra: '{"file":{"x":2,"y":3},"z":[4]}' },
    ],
    certificates: [{ event_id: 'series', position: 0, issuer: 'CN=a' }],
  };
  const found = merged(stored, details);
  expect(found?.events).toEqual([
    {
      ...{ ...KEYS, processed_time: 5, agent_id: 'a1', event_type: 'FILE', score: 7 },
      extra: `{"file":{"size":1.10,"x":1,"y":3},"z":[4],"edrlake":{"detailsAt":"${AT}","otherwise":{"agent_id":"a2","extra.file.x":2}}}`,
    },
  ]);
  expect(found?.certificates).toEqual([{ ...KEYS, position: 0, issuer: 'CN=a' }]);
  expect(found && merged(found, details)).toBeNull();
  expect(merged({}, details)).toBeNull();
});

test('an event that came with a member of our name is left as it is', () => {
  for (const extra of [
    '{"edrlake":5}',
    '{"edrlake":{"detailsAt":{"x":1},"otherwise":2}}',
    '{"edrlake":1,"edrlake":{}}',
  ]) {
    const stored = { events: [{ ...KEYS, agent_id: 'a1', extra }] };
    expect(merged(stored, { events: [{ event_id: 'series', agent_id: 'a2' }] })).toBeNull();
  }
});

test('elements that say something else than the stored ones replace none of them', () => {
  const stored = { events: [{ ...KEYS, extra: null }], certificates: [{ ...KEYS, position: 0, issuer: 'CN=a' }] };
  const other = { events: [{}], certificates: [{ position: 0, issuer: 'CN=b' }] };
  const more = { events: [{}], certificates: [0, 1].map((position) => ({ position, issuer: 'CN=a' })) };
  for (const [details, kept] of [
    [other, '[{"issuer":"CN=b"}]'],
    [more, '[{"issuer":"CN=a"},{"issuer":"CN=a"}]'],
  ] as const) {
    const found = merged(stored, details);
    expect(found?.certificates).toEqual(stored.certificates);
    expect(found?.events?.[0]?.extra).toBe(`{"edrlake":{"detailsAt":"${AT}","otherwise":{"certificates":${kept}}}}`);
  }
  const none = { ...stored, certificates: [] };
  expect(merged(none, more)?.certificates).toEqual([0, 1].map((position) => ({ ...KEYS, position, issuer: 'CN=a' })));
});
