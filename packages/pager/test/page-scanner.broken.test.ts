import { expect, test } from 'vitest';
import { fieldTable } from '../src/scan/field-table.ts';
import { scanPage } from '../src/scan/page-scanner.ts';

async function* chunksOf(...chunks: readonly (string | Uint8Array)[]) {
  for (const chunk of chunks) yield Buffer.from(chunk as string);
}

async function scanned(body: AsyncIterable<Uint8Array>, maxRecordBytes = 1_000_000) {
  let text = '';
  const result = await scanPage(body, {
    known: fieldTable(null, ['id', 'eventId']),
    maxRecordBytes,
    write: async (bytes) => {
      text += Buffer.from(bytes).toString('utf8');
    },
  });
  return { ...result, text };
}

test.each([
  [
    'an object',
    '{"error":"x"}',
    'expected a JSON array, or an object with one in "data", "events", "items", "content" or "hits" at byte 12 of the body, found "}"',
  ],
  ['two lists', '{"data":[],"items":[{"id":1}]}', 'expected one list of records at byte 19'],
  ['an object that is no list', '{"data":{"id":"a"}}', 'found "}"'],
  ['a number for a list', '{"data":null,"count":0}', 'found "}"'],
  ['an object cut before its list', '{"count":3,"dat', 'without one'],
  ['an object cut after its list', '{"data":[{"id":1}],"count":', 'after 1 records'],
  ['an object not closed', '{"data":[{"id":1}]', 'after 1 records'],
  ['text after the object', '{"data":[]}]', 'expected nothing after the array'],
  ['HTML', '<html>502</html>', 'expected a JSON array, not HTML, at byte 0 of the body, found "<"'],
  ['plain text', 'Internal Server Error', 'found "I"'],
  ['a cut inside a string', '[{"id":"a"},{"id":"b', 'ended after 20 bytes inside a record'],
  ['a cut inside a record', '[{"id":"a"},{"id":"b"', 'inside a record'],
  ['a cut between records', '[{"id":"a"}', 'after 1 records'],
  ['text after the array', '[]x', 'expected nothing after the array'],
  ['wrong brackets', '[{"a":[1}', 'found "}"'],
  ['a record that breaks off before the end of the array', '[{"a":1},{"a":2]', 'found "]"'],
  ['a trailing comma', '[{"a":1},]', 'expected a value at byte 9 of the body, found "]"'],
  ['a missing comma', '[{"a":1}{"a":2}]', 'expected "," or "]"'],
  ['white space only', ' \n', 'without one'],
])('%s is a broken body that says where', async (_name, body, message) => {
  await expect(scanned(chunksOf(body))).rejects.toMatchObject({
    code: 'BODY_BROKEN',
    disposition: 'retry',
    message: expect.stringContaining(message),
  });
});

test('an empty body and an empty array have no records', async () => {
  expect(await scanned(chunksOf())).toMatchObject({ recordCount: 0, writtenBytes: 0, crc32: '00000000', ids: [] });
  expect(await scanned(chunksOf(' [ ] \n'))).toMatchObject({ recordCount: 0, text: '' });
});

test('a byte order mark is skipped, in one piece or three', async () => {
  const mark = [0xef, 0xbb, 0xbf];
  expect((await scanned(chunksOf(Uint8Array.from(mark), '[{"id":1}]'))).ids).toEqual(['1']);
  expect((await scanned(chunksOf(...mark.map((byte) => Uint8Array.of(byte)), '[{"id":1}]'))).ids).toEqual(['1']);
});

test('an unpaired surrogate becomes the replacement character, at any end of a chunk', async () => {
  const body = '[{"id":"a\\ud800b","x":"\\udc00\\ud800\\ud83d\\ude00\\ud83d\\n\\ud83d"}]';
  const wanted = '{"id":"a\\ufffdb","x":"\\ufffd\\ufffd\\ud83d\\ude00\\ufffd\\n\\ufffd"}\n';
  for (let place = 0; place <= body.length; place++) {
    const result = await scanned(chunksOf(body.slice(0, place), body.slice(place)));
    expect(result.text).toBe(wanted);
    expect(result.replacedSurrogates).toBe(5);
  }
});

test('the first id field with a value is the identity, in any order and with any escapes', async () => {
  const body =
    '[{"eventId":"E","id":"I"},{"eventId":"E","id":" "},{"id":null,"eventId":7},{"\\u0069d":"x"},{"id":"a\\/b"},{"id":{"id":"deep"}},{"id":[]},{"x":{"id":"deep"}},{"id":true},{"id":1e2},{"id":100.0},{"id":-0}]';
  expect((await scanned(chunksOf(body))).ids).toEqual([
    'I',
    'E',
    '7',
    'x',
    'a/b',
    null,
    null,
    null,
    'true',
    '100.0',
    '100.0',
    '0',
  ]);
});

test('a page of many megabytes streams through in pieces', async () => {
  const line = `{"id":"x","p":"${'C:\\\\dir\\\\'.repeat(100)}"}`;
  const chunk = Buffer.from(`,${line}`.repeat(1_000));
  let largest = 0;
  let written = 0;
  async function* body() {
    yield Buffer.from(`[${line}`);
    for (let i = 0; i < 20; i++) yield chunk;
    yield Buffer.from(']');
  }
  const result = await scanPage(body(), {
    known: fieldTable(null, ['id']),
    write: async (bytes) => {
      largest = Math.max(largest, bytes.length);
      written += bytes.length;
    },
  });
  expect(result.recordCount).toBe(20_001);
  expect(written).toBe(20_001 * (line.length + 1));
  expect(largest).toBeLessThanOrEqual(786_432);
});

test('the chunks of the body are not changed', async () => {
  const chunk = Buffer.from('[\n{\n"id":\r\n1\n}\n]');
  const before = Buffer.from(chunk);
  await scanned(
    (async function* () {
      yield chunk;
    })(),
  );
  expect(chunk.equals(before)).toBe(true);
});
