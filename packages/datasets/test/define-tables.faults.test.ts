import { defineTables, field, fromEvent, type TablesDefinition } from '@edrlake/datasets';
import { describe, expect, test } from 'vitest';

const DOORS: TablesDefinition = {
  name: 'doors',
  identity: 'uuid',
  times: { event: 'opened', processed: 'meta.received' },
  tables: {
    events: { columns: [field('event_type', 'text', 'kind', 'kind of event'), field('door', 'text', 'door', 'name')] },
    children: { badges: { arrays: 'badges', columns: [field('badge', 'text', 'number', 'its number')] } },
  },
};

/** The definition with other columns of events, or with other columns of badges. */
function doors(events: readonly ReturnType<typeof field>[], badges?: TablesDefinition['tables']['children']) {
  return { ...DOORS, tables: { events: { columns: events }, children: badges ?? {} } };
}

describe('a dataset', () => {
  test('has the columns that mean the same in every dataset, fed by the fields that it names', () => {
    const [events, badges, rejects] = defineTables(DOORS).tables;
    expect(events?.columns.map(({ name, paths }) => `${name} ${paths.join(' ')}`.trim())).toEqual([
      'event_date',
      'event_id uuid',
      'event_time opened',
      'processed_time meta.received',
      'event_type kind',
      'door door',
      'agent_id',
      'extra',
    ]);
    expect(badges?.columns.map(({ name }) => name)).toEqual([
      'event_date',
      'event_id',
      'event_time',
      'position',
      'badge',
      'extra',
    ]);
    expect(badges?.sortBy).toEqual(['event_time', 'event_id', 'position']);
    expect(rejects?.name).toBe('rejects');
  });

  test.each([
    ['a name with capitals', { ...DOORS, name: 'Doors' }, /its name must be/],
    ['an identity inside a section', { ...DOORS, identity: 'meta.uuid' }, /meta\.uuid must be at the top of a record/],
    ['a column twice', doors([field('a', 'text', 'x', 'first'), field('a', 'text', 'y', 'second')]), /events\.a/],
    [
      'a column of flattening',
      doors([field('content_hash', 'text', 'x', 'a hash')]),
      /events\.content_hash is a name that/,
    ],
    ['a field of reading', doors([field('a', 'text', 'File_Index', 'one')]), /File_Index is a name that/],
    ['a field for two columns', doors([field('a', 'text', 'x', 'one'), field('b', 'text', 'x', 'two')]), /x is named/],
    [
      'a field that is a section too',
      doors([field('a', 'text', 'x', 'one'), field('b', 'text', 'x.y', 'two')]),
      /x is named twice, or has members/,
    ],
    ['a path with a space', doors([field('a', 'text', 'x/y', 'one')]), /x\/y is no path/],
    ['a date from a field', doors([field('a', 'date', 'x', 'a day')]), /events\.a is a date/],
    ['a rule of another type', doors([field('a', 'integer', 'x', 'one', { rule: 'path' })]), /a rule of another type/],
    [
      'a path of parts that no columns have',
      doors([field('a', 'text', 'x', 'one', { rule: 'file-path', parts: { directory: 'd', name: 'n' } })]),
      /events\.a is composed of d/,
    ],
    ['a whole section that is not at the top', doors([field('a', 'json', 'x.y', 'one')]), /events\.a keeps a section/],
    ['a table of every lake', doors([], { coverage: { arrays: 'a', columns: [] } }), /no table can be called coverage/],
    [
      'a field deep in an element',
      doors([], { b: { arrays: 'b', columns: [field('a', 'text', 'x.y', 'one')] } }),
      /b takes x\.y, expected a member of the element itself/,
    ],
    [
      'alternatives in an element',
      doors([], { b: { arrays: 'b', columns: [field('a', 'text', 'x y', 'one')] } }),
      /b\.a has alternatives/,
    ],
    [
      'several arrays without a column for them',
      doors([], { b: { arrays: 'b c', columns: [field('a', 'text', 'x', 'one')] } }),
      /b has several arrays/,
    ],
    [
      'a column that the event does not have',
      doors([], {
        b: { arrays: 'b', columns: [field('a', 'text', 'x', 'one'), fromEvent('door', 'text', 'its door')] },
      }),
      /b\.door is no text column of events/,
    ],
  ] as const)('is refused for %s', (_fault, definition, message) => {
    expect(() => defineTables(definition)).toThrow(message);
    expect(() => defineTables(definition)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }));
  });

  test('is refused with all that is wrong with it', () => {
    const wrong = { ...doors([field('a', 'date', 'x', 'a day'), field('rowid', 'text', 'y', 'a row')]), name: 'X' };
    expect(() => defineTables(wrong)).toThrow(/its name must be.*events\.rowid.*events\.a is a date/);
  });
});
