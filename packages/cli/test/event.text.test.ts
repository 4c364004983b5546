import type { FoundEvent, QueryValue } from '@edrlake/lake';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventText } from '../src/investigate/event-text.ts';
import { displayWidth } from '../src/text/text-width.ts';

const found = (values: Readonly<Record<string, QueryValue>>, children: readonly Record<string, QueryValue>[] = []) => {
  const at = (row: Readonly<Record<string, QueryValue>>) => ({ values: row, file: 'events/x.parquet', rowNumber: 0 });
  const tables = [
    { table: 'events', rows: [at(values)] },
    ...(children.length === 0 ? [] : [{ table: 'parts', rows: children.map(at) }]),
  ];
  return {
    eventId: 'e1',
    version: 3,
    tables,
    rejects: [],
    writes: [],
    windows: [],
    otherVersions: [],
    lostFiles: [],
  } satisfies FoundEvent;
};

describe('the text of an event', () => {
  it('groups columns of one section, leaves out what is NULL, and keeps a hash whole within 80 columns', () => {
    const hash = 'a'.repeat(64);
    const text = eventText(
      found(
        {
          event_id: 'e1',
          event_time: 't',
          event_type: 'FILE',
          score: 5,
          file_name: 'n',
          file_sha256: hash,
          file_md5: null,
          file_size: 7,
        },
        [{ event_id: 'e1', position: 0, issuer: 'I', subject: null }],
      ),
      [],
      80,
    );
    expect(text).toBe(
      [
        ...['Event e1', '', 'event_id    e1', 'event_time  t', 'event_type  FILE', 'score       5'],
        ...[
          'file_…',
          '  name    n',
          `  sha256  ${hash}`,
          '  size    7',
          '',
          'parts: 1 row',
          '',
          'issuer',
          '──────',
          'I',
          '',
        ],
      ].join('\n'),
    );
  });

  it('fits any width, except for words that are longer, and shows no control character', () => {
    const word = fc.string({ unit: 'grapheme', maxLength: 12 });
    fc.assert(
      fc.property(
        fc.dictionary(fc.stringMatching(/^[a-z_]{1,20}$/), word),
        fc.integer({ min: 40, max: 200 }),
        (values, width) => {
          const lines = eventText(found(values), [], width).split('\n');
          expect(lines.filter((line) => displayWidth(line) > width)).toEqual([]);
          expect(lines.join('')).not.toMatch(/\p{Cc}/u);
        },
      ),
    );
  });
});
