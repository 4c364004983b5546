import { type RecordShape, SPOOL_MEMBERS } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldTable } from '../src/scan/field-table.ts';
import { scanPage } from '../src/scan/page-scanner.ts';

const SHAPE: RecordShape = {
  members: [
    { name: 'id', kind: 'text', column: 'id' },
    { name: 'eventId', kind: 'text', column: 'id' },
    { name: 'time', kind: 'timestamp', column: 'time' },
    { name: 'title', kind: 'text', column: 'title' },
  ],
  required: ['id', 'time'],
};
const TIME = '"2020-08-17T04:15:06.123+0000"';

async function scanned(text: string, chunkBytes = 65_536) {
  const body = Buffer.from(text);
  const written: Buffer[] = [];
  async function* chunks() {
    for (let from = 0; from < body.length; from += chunkBytes) yield body.subarray(from, from + chunkBytes);
  }
  const result = await scanPage(chunks(), {
    known: fieldTable(SHAPE, ['id', 'eventId']),
    write: async (bytes) => void written.push(Buffer.from(bytes)),
  });
  const lines = Buffer.concat(written).toString().split('\n').slice(0, -1);
  return { lines, ids: result.ids, irregular: result.irregularRecords };
}

const list = `[{"id":"a","time":${TIME}},{"id":"b","time":${TIME},"new":1}]`;

test.each([
  `{"data":${list}}`,
  ` { "items" : ${list} } `,
  `{"content":${list},"totalPages":1}`,
  `{"hits":${list}}`,
  `{"took":3,"hits":{"total":{"value":2},"hits":${list},"max_score":null},"timed_out":false}`,
  `{"id":"a","time":${TIME}}\n{"id":"b","time":${TIME},"new":1}\n`,
  `{"id":"a","time":${TIME}}\r\n{"id":"b","time":${TIME},"new":1}`,
  `{"count":2,"next":{"a":["]"]},"events":${list},"searchAfterValues":[1,"x}"],"took":null}`,
])('the list of records may be in an object, with any other members: %s', async (body) => {
  const bare = await scanned(list);
  expect(bare.ids).toEqual(['a', 'b']);
  for (const chunkBytes of [1, 5, 10_000]) expect(await scanned(body, chunkBytes)).toEqual(bare);
});

test('members next to the list that name no error change nothing', async () => {
  const members = '"error":null,"errors":[],"timed_out":false,"_shards":{"total":5,"failed":0}';
  for (const body of [`{${members},"data":${list}}`, `{"data":${list},${members}}`]) {
    for (const chunkBytes of [1, 10_000]) expect((await scanned(body, chunkBytes)).ids).toEqual(['a', 'b']);
  }
});

test('a single record with a member called error is a record', async () => {
  expect((await scanned(`{"id":"a","time":${TIME},"error":"in the record"}`, 3)).ids).toEqual(['a']);
});

test('a single record in the place of a list is a page of one', async () => {
  expect((await scanned(`{"id":"a","time":${TIME}}`, 3)).ids).toEqual(['a']);
});

test.each([
  ['an object that is no record', '{"error":"no","id":"a"}', 'an object with one in'],
  ['an object without its end', `{"id":"a","time":${TIME}`, 'ended after'],
  ['a line that is cut off', `{"id":"a","time":${TIME}}\n{"id":"b","ti`, 'inside a record'],
  ['a line that is no record', `{"id":"a","time":${TIME}}\n[]`, 'another record'],
  ['lines with commas', `{"id":"a","time":${TIME}},{"id":"b","time":${TIME}}`, 'another record'],
  ['an empty list beside an error', '{"data":[],"error":"search timed out"}', 'the whole result'],
  ['a list beside an error', `{"errors":[{"code":7}],"data":${list}}`, 'the whole result'],
  ['a list of a search that timed out', `{"timed_out":true,"hits":{"hits":${list}}}`, 'the whole result'],
  ['a list of some shards', `{"_shards":{"failed":1},"hits":{"hits":[]}}`, 'the whole result'],
  ['hits that hold no list', '{"hits":{"total":0}}', 'an object with one in'],
  ['an object around the list without its end', `{"hits":{"hits":${list}}`, 'ended after'],
])('%s is no page', async (_what, body, found) => {
  for (const chunkBytes of [4, 10_000]) await expect(scanned(body, chunkBytes)).rejects.toThrow(found);
});

test('an empty list in an object has no records', async () => {
  expect(await scanned('{"data":[],"total":0}')).toEqual({ lines: [], ids: [], irregular: 0 });
});

test('members next to the list may be large, but not endless', async () => {
  expect((await scanned(`{"note":"${'x'.repeat(1_000_000)}","data":${list}}`)).ids).toEqual(['a', 'b']);
  await expect(scanned(`{"note":"${'x'.repeat(17_000_000)}","data":${list}}`)).rejects.toMatchObject({
    code: 'BODY_BROKEN',
  });
});

test.each([
  [
    `{"sortValues":[1,{"x":2}],"data":{"id":"a","time":${TIME}}}`,
    'a',
    { id: 'a', time: JSON.parse(TIME), sortValues: [1, { x: 2 }], '#extra': { sortValues: [1, { x: 2 }] } },
  ],
  [
    `{"_index":"e","_id":"x","_source":{"id":"a","time":${TIME}},"sort":[1]}`,
    'a',
    {
      ...{ id: 'a', time: JSON.parse(TIME), _index: 'e', _id: 'x', sort: [1] },
      '#extra': { _index: 'e', _id: 'x', sort: [1] },
    },
  ],
  [`{ "data" : { "time" : ${TIME} , "eventId" : 7 } }`, '7', { time: JSON.parse(TIME), eventId: 7 }],
  [`{"d\\u0061ta":{"id":"a","time":${TIME}}}`, 'a', { id: 'a', time: JSON.parse(TIME) }],
  [
    `{"data":{"id":"a","time":${TIME},"data":{"x":1}},"score":null}`,
    'a',
    { id: 'a', time: JSON.parse(TIME), data: { x: 1 }, score: null, '#extra': { data: { x: 1 } } },
  ],
])('a record in a wrapper is read as if it came without: %s', async (record, id, line) => {
  const result = await scanned(`[${record},{"id":"b","time":${TIME}}]`, 7);
  expect(result.ids).toEqual([id, 'b']);
  expect(result.irregular).toBe(0);
  expect(JSON.parse(result.lines[0] ?? '')).toEqual(line);
});

test.each([
  ['a member that the shape knows', `{"title":"x","data":{"id":"a","time":${TIME}}}`],
  ['a member that the record has too', `{"sort":1,"data":{"id":"a","time":${TIME},"sort":2}}`],
  ['nothing that is a record', '{"data":{"id":"a"}}'],
  ['a list', `{"data":[{"id":"a","time":${TIME}}]}`],
])('an object with %s is no wrapper: it stays as it came', async (_what, record) => {
  const result = await scanned(`[${record}]`);
  expect(result).toMatchObject({ ids: [null], irregular: 1 });
  expect(JSON.parse(result.lines[0] ?? '')).toEqual({ [SPOOL_MEMBERS.irregular]: record });
});

test('wrapped or not, in an object or not, in any chunks: the same records with the same ids', async () => {
  const text = fc.string({ unit: 'grapheme', maxLength: 9 });
  const record = fc.record({ title: text, other: fc.jsonValue({ maxDepth: 2 }) });
  await fc.assert(
    fc.asyncProperty(fc.array(record, { maxLength: 6 }), fc.integer({ min: 1, max: 90 }), async (parts, chunkBytes) => {
      const records = parts.map(
        ({ title, other }, n) =>
          `{"id":"e${n}","time":${TIME},"title":${JSON.stringify(title)},"other":${JSON.stringify(other)}}`,
      );
      const bare = await scanned(`[${records.join(',')}]`);
      const wrapped = records.map((one) => `{"data":${one}}`);
      for (const body of [`[${wrapped.join(' ,')}]`, `{"a":1,"items":[${wrapped.join(',')}]}`]) {
        const result = await scanned(body, chunkBytes);
        expect(result.lines.map((line) => line.trimEnd())).toEqual(bare.lines);
        expect([result.ids, result.irregular]).toEqual([bare.ids, bare.irregular]);
      }
    }),
    { numRuns: 150 },
  );
});
