import { createHash } from 'node:crypto';
import { type RecordShape, SPOOL_BROKEN, SPOOL_MEMBERS } from '@edrlake/core';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fieldTable } from '../src/scan/field-table.ts';
import { scanPage } from '../src/scan/page-scanner.ts';

const SHAPE: RecordShape = {
  members: [
    { name: 'id', kind: 'text', column: 'id' },
    { name: 'time', kind: 'timestamp', column: 'time' },
    { name: 'title', kind: 'text', column: 'title' },
    { name: 'file', kind: 'section', members: [{ name: 'path', kind: 'text', column: 'path' }] },
  ],
  required: ['id', 'time'],
};
const TIME = '"2020-08-17T04:15:06.123+0000"';

interface Scanned {
  readonly lines: readonly string[];
  readonly ids: readonly (string | null)[];
  readonly brokenRecords: number;
}

async function scanned(body: Buffer, { chunkBytes = 65_536, maxRecordBytes = 1_000_000 } = {}): Promise<Scanned> {
  const written: Buffer[] = [];
  async function* chunks() {
    for (let from = 0; from < body.length; from += chunkBytes) yield body.subarray(from, from + chunkBytes);
  }
  const result = await scanPage(chunks(), {
    known: fieldTable(SHAPE, ['id']),
    maxRecordBytes,
    write: async (bytes) => void written.push(Buffer.from(bytes)),
  });
  const lines = Buffer.concat(written).toString('utf8').split('\n').slice(0, -1);
  return { lines, ids: result.ids, brokenRecords: result.brokenRecords };
}

interface Rejected {
  readonly reason: string;
  readonly fields: Readonly<Record<string, unknown>>;
  readonly record: unknown;
}

/** The reject in a line; null where the record could be read. */
function rejected(line: string | undefined): Rejected | null {
  const { [SPOOL_MEMBERS.irregular]: text } = JSON.parse(line ?? '{}') as Record<string, unknown>;
  if (typeof text !== 'string' || !text.startsWith(SPOOL_BROKEN)) return null;
  const { reason, fields, record } = JSON.parse(text.slice(SPOOL_BROKEN.length)) as Record<string, string>;
  return { reason: reason ?? '', fields: JSON.parse(fields ?? '') as Rejected['fields'], record };
}

/** The bytes that a reject keeps. */
function keptBytes({ record }: Rejected): Buffer {
  if (typeof record === 'string') return Buffer.from(record);
  const { '#base64': base64, '#text': text } = record as Record<string, string>;
  return base64 === undefined ? Buffer.from(text ?? '') : Buffer.from(base64, 'base64');
}

const bytesOf = (...parts: readonly (string | Uint8Array | readonly number[])[]) =>
  Buffer.concat(parts.map((part) => (typeof part === 'string' ? Buffer.from(part) : Uint8Array.from(part))));
const nested = (levels: number) => `${'{"a":'.repeat(levels)}1${'}'.repeat(levels)}`;

test.each([
  ['not UTF-8', bytesOf(`{"id":"x","time":${TIME},"title":"caf`, [0xe9], '"}')],
  ['not UTF-8', bytesOf(`{"id":"x","title":"`, [0xe2, 0x82], `","time":${TIME}}`)],
  ['not UTF-8', bytesOf(`{"id":"x","time":${TIME},"`, [0xff], '":1}')],
  ['control character in a string', bytesOf(`{"id":"x","title":"a\tb\u0000","time":${TIME}}`)],
  ['nested too deeply', bytesOf(`{"id":"x","time":${TIME},"registry":${nested(5_000)}}`)],
  ['nested too deeply', bytesOf(`{"id":"x","registry":${'['.repeat(300_000)}${']'.repeat(300_000)},"time":${TIME}}`)],
  ['not JSON', bytesOf(`{"id":"x","title":"C:\\x","time":${TIME}}`)],
  ['not JSON', bytesOf(`{"id":"x","title":"\\u12","time":${TIME}}`)],
  ['not JSON', bytesOf(`{"id":"x","time":${TIME},"title":NaN,"n":01}`)],
])('a record that is %s is a reject with its bytes, and what could be read of it', async (reason, record) => {
  const body = bytesOf(`[{"id":"1","time":${TIME}},`, [...record], `,{"id":"2","time":${TIME}}]`);
  const whole = await scanned(body);
  expect(whole).toMatchObject({ ids: ['1', 'x', '2'], brokenRecords: 1 });
  expect(whole.lines[0]).toBe(`{"id":"1","time":${TIME}}`);
  expect(whole.lines[2]).toBe(`{"id":"2","time":${TIME}}`);
  const line = rejected(whole.lines[1]);
  expect(line).toMatchObject({ reason, fields: { id: 'x', time: JSON.parse(TIME) } });
  expect(keptBytes(line as Rejected).equals(record)).toBe(true);
  for (const chunkBytes of [1, 7, 1_000].filter((size) => size > 100 || body.length < 1_000)) {
    expect(await scanned(body, { chunkBytes })).toEqual(whole);
  }
});

test('only complete single members that come once are read from a damaged record, also inside a wrapper', async () => {
  const read = async (record: Buffer) => {
    const { lines, ids } = await scanned(bytesOf('[', [...record], ']'));
    return [rejected(lines[0])?.fields, ids[0]];
  };
  expect(await read(bytesOf('{"id":"a","id":"b","time":"t","title":"\u0001"}'))).toEqual([{ time: 't' }, null]);
  expect(await read(bytesOf('{"id":"a', [0xff], '","time":"t"}'))).toEqual([{ time: 't' }, null]);
  expect(await read(bytesOf('{"id":{"id":"deep"},"title":"\u0001"}'))).toEqual([{}, null]);
  expect(await read(bytesOf('{"\\u0069d":12,"x":["\u0001"]}'))).toEqual([{ id: 12 }, '12']);
  expect(await read(bytesOf(`{"id":"${'x'.repeat(2_000)}","title":"\u0001"}`))).toEqual([{}, null]);
  const wrapped = bytesOf('{"sort":[1,{"id":"no"}],"data":{"id":"w","file":{"id":"no"},"title":"\u0001"}}');
  expect(await read(wrapped)).toEqual([{ id: 'w', title: undefined }, 'w']);
});

test('a record above the limit is a reject of which the beginning, the size and a checksum are kept', async () => {
  const record = Buffer.from(`{"id":"x","title":"${'é'.repeat(900_000)}","time":${TIME}}`);
  const body = bytesOf('[', [...record], ',{"id":"2"}]');
  const whole = await scanned(body, { maxRecordBytes: 300_000 });
  const line = rejected(whole.lines[0]);
  expect(line).toMatchObject({ reason: 'too large', fields: { id: 'x', time: JSON.parse(TIME) } });
  const { '#text': kept, ...rest } = (line?.record ?? {}) as Record<string, string>;
  expect(rest).toEqual({ '#bytes': record.length, '#sha256': createHash('sha256').update(record).digest('hex') });
  expect(record.toString().startsWith(kept ?? '?')).toBe(true);
  expect(kept?.length).toBeGreaterThan(9_000);
  expect(Buffer.byteLength(whole.lines[0] ?? '')).toBeLessThan(300_000);
  expect(whole.ids).toEqual(['x', '2']);
  for (const chunkBytes of [1_000, 131_073, 5_000_000]) {
    expect(await scanned(body, { chunkBytes, maxRecordBytes: 300_000 })).toEqual(whole);
  }
});

test('a record of a hundred megabytes is skipped in little memory', async () => {
  const chunk = Buffer.from(`"n":"${'x'.repeat(1_048_569)}",`);
  async function* body() {
    yield Buffer.from('[{"id":"x",');
    for (let n = 0; n < 100; n++) yield chunk;
    yield Buffer.from('"end":1},{"id":"2"}]');
  }
  let largest = 0;
  const before = process.memoryUsage().rss;
  const result = await scanPage(body(), {
    known: fieldTable(SHAPE, ['id']),
    maxRecordBytes: 4_194_304,
    write: async (bytes) => {
      largest = Math.max(largest, bytes.length);
    },
  });
  expect(result).toMatchObject({ recordCount: 2, brokenRecords: 1, ids: ['x', '2'] });
  expect(largest).toBeLessThan(1_048_576);
  expect(process.memoryUsage().rss - before).toBeLessThan(80 * 1_048_576);
});

const LOST: readonly (readonly [string, string | Buffer, string | null])[] = [
  ['a quote too many', '{"id":"x","title":"say "hi"","path":1}', 'x'],
  ['a quote missing', '{"id":"x,"title":"t"}', null],
  ['a quote that is escaped by a path', '{"id":"x","title":"C:\\dir\\","path":"t"}', 'x'],
  ['such a path at its end', '{"id":"x","title":"C:\\dir\\"}', 'x'],
  ['a comma missing', '{"id":"x" "title":"t"}', null],
  ['a comma too many', '{"id":"x","title":"t",}', 'x'],
  ['a comment', '{"id":"x",/* none */"title":"t"}', null],
  ["another language's quotes", "{'id':'x','title':'t'}", null],
  ['a bracket of the wrong kind', '{"id":"x","a":["t"}}', 'x'],
  ['a bracket missing', '{"id":"x","file":{"path":"t"}', 'x'],
  ['two brackets missing', '{"id":"x","file":{"path":"t"', 'x'],
  ['bytes outside of strings', bytesOf('{"id":', [0xff], '}'), null],
];

test.each(LOST)('a record with %s ends before the next one, and is a reject', async (_what, record, id) => {
  const bad = Buffer.from(record);
  const others = ['{"id":"1","list":[{"n":1},{"n":2}]}', '{"id":"2"}'] as const;
  for (const [from, to, blank] of [
    ['[', ']', ''],
    ['{"data":[', '],"count":3}', ''],
    ['{"count":3,"data":[', ']}', ' \n'],
  ] as const) {
    const body = bytesOf(from, others[0], `,${blank}`, [...bad], `,${blank}`, others[1], to);
    const whole = await scanned(body);
    expect([whole.brokenRecords, whole.ids]).toEqual([1, ['1', id, '2']]);
    expect(keptBytes(rejected(whole.lines[1]) as Rejected).equals(bad)).toBe(true);
    for (const chunkBytes of [1, 2, 7, 30]) expect(await scanned(body, { chunkBytes })).toEqual(whole);
  }
});

test('the last record of a page ends before the end of the list', async () => {
  const bad = '{"id":"x","list":[{"n":1}],"title":"say "hi""}';
  for (const [from, to] of [
    ['[{"id":"1"},', ' ]\n'],
    ['{"data":[{"id":"1"},', ']}'],
  ] as const) {
    const body = bytesOf(from, bad, to);
    const whole = await scanned(body);
    expect(whole.ids).toEqual(['1', 'x']);
    expect(keptBytes(rejected(whole.lines[1]) as Rejected).toString()).toBe(bad);
    for (const chunkBytes of [1, 3]) expect(await scanned(body, { chunkBytes })).toEqual(whole);
  }
});

test.each([
  ['a word that is no value', '[{"id":"1"},Error,{"id":"2"}]'],
  ['a bracket too many', '[{"id":"1"}},{"id":"2"}]'],
  ['a damaged first member in the first record', '[{"i"d":"1","a":"x"y"},{"id":"2"}]'],
  ['another kind of record behind it', '[{"id":"1"},{"id":"x","a":"x"y"},{"no":"2"}]'],
  ['a list inside that looks like records', '[{"id":"1"},{"id":"x","a":"x"y","b":[{"id":1},{"id":2}]},{"id":"2"}]'],
  ['a page that is cut behind it', '[{"id":"1"},{"id":"x","a":"x"y"},{"id":"2'],
])('%s spoils the page: nothing says where the record ends', async (_what, body) => {
  for (const chunkBytes of [1, 65_536]) {
    await expect(scanned(Buffer.from(body), { chunkBytes })).rejects.toMatchObject({
      code: 'BODY_BROKEN',
      disposition: 'retry',
    });
  }
});

const word = fc.array(fc.constantFrom('a', 'B', '7', ' ', '\\\\', '\\n', '\\u00e9', 'é', '😀', '/', '.'), {
  maxLength: 12,
});
const text = word.map((parts) => `"${parts.join('')}"`);
const record = fc
  .record({ title: text, path: text, other: fc.oneof(text, fc.constant('[1,{"x":[]}]'), fc.constant('-1.5e3')) })
  .map(({ title, path, other }) => `"time":${TIME},"title":${title},"file":{"path":${path}},"other":${other}`);

/** Positions inside of strings. */
function insideStrings(bytes: Buffer): number[] {
  const places: number[] = [];
  let isInside = false;
  for (let at = 0; at < bytes.length; at++) {
    if (bytes[at] === 0x22) isInside = !isInside;
    else if (isInside) places.push(at);
    if (bytes[at] === 0x5c) at++;
  }
  return places;
}

const damage = fc.oneof(
  { weight: 1, arbitrary: fc.tuple(fc.constant('flip' as const), fc.nat(), fc.constantFrom(0x22, 0x5c)) },
  { weight: 6, arbitrary: fc.tuple(fc.constant('flip' as const), fc.nat(), fc.integer({ min: 0, max: 255 })) },
  { weight: 3, arbitrary: fc.tuple(fc.constant('strike' as const), fc.nat(), fc.constantFrom(...'{}[]",: x')) },
  { weight: 2, arbitrary: fc.tuple(fc.constant('insert' as const), fc.nat(), fc.integer({ min: 0, max: 31 })) },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('deepen' as const), fc.integer({ min: 980, max: 1_020 }), fc.constant(0)),
  },
  {
    weight: 1,
    arbitrary: fc.tuple(fc.constant('enlarge' as const), fc.integer({ min: 3_000, max: 9_000 }), fc.constant(0)),
  },
);

function damaged(
  good: Buffer,
  [kind, n, byte]:
    | readonly ['flip' | 'insert' | 'deepen' | 'enlarge', number, number]
    | readonly ['strike', number, string],
): Buffer {
  // Anywhere, also outside of strings.
  if (kind === 'strike') return bytesOf(good.subarray(0, n % good.length), byte, good.subarray((n % good.length) + 1));
  if (kind === 'deepen') return bytesOf(`{"deep":${nested(n)},`, [...good.subarray(1)]);
  if (kind === 'enlarge') return bytesOf(`{"large":"${'x'.repeat(n)}",`, [...good.subarray(1)]);
  const places = insideStrings(good);
  const place = places[n % places.length] as number;
  return Buffer.concat([good.subarray(0, place), Buffer.of(byte), good.subarray(kind === 'flip' ? place + 1 : place)]);
}

const pageOf = (records: readonly Buffer[]) =>
  Buffer.concat([
    Buffer.from('['),
    ...records.flatMap((one, n) => [Buffer.from(n === 0 ? '' : ','), one]),
    Buffer.from(']'),
  ]);

const isJson = (bytes: Buffer): boolean => {
  try {
    return Buffer.from(bytes.toString()).equals(bytes) && JSON.parse(bytes.toString()) !== undefined;
  } catch {
    return false;
  }
};

test('damage to one record changes no other: it is a row as delivered, a reject with its bytes, or the page is broken', async () => {
  const seen = { rows: 0, rejects: 0, pages: 0 };
  await fc.assert(
    fc.asyncProperty(
      fc.array(record, { minLength: 1, maxLength: 6 }),
      fc.nat(),
      damage,
      fc.integer({ min: 1, max: 400 }),
      async (members, which, how, chunkBytes) => {
        const records = members.map((body, n) => Buffer.from(`{"id":"e${n}",${body}}`));
        const place = which % records.length;
        const bad = damaged(records[place] as Buffer, how);
        const limit = { chunkBytes, maxRecordBytes: 6_000 };
        const good = await scanned(pageOf(records));
        const body = pageOf(records.map((one, n) => (n === place ? bad : one)));
        let result: Scanned;
        try {
          result = await scanned(body, limit);
        } catch (thrown) {
          expect(thrown).toMatchObject({ code: 'BODY_BROKEN', disposition: 'retry' });
          expect(isJson(body)).toBe(false);
          seen.pages++;
          return;
        }
        const isOther = (_one: unknown, n: number) => n !== place;
        expect(result.lines.filter(isOther)).toEqual(good.lines.filter(isOther));
        expect(result.ids.filter(isOther)).toEqual(good.ids.filter(isOther));
        const line = rejected(result.lines[place]);
        if (line === null) {
          expect(isJson(bad)).toBe(true);
          expect([result.lines[place]]).toEqual((await scanned(pageOf([bad]), limit)).lines);
          seen.rows++;
          return;
        }
        const kept = keptBytes(line);
        if (typeof line.record === 'object' && '#bytes' in (line.record as object))
          expect(kept.equals(bad.subarray(0, kept.length))).toBe(true);
        else expect(kept.equals(bad)).toBe(true);
        if (line.fields.id !== undefined) expect(bad.includes(`"id":"${String(line.fields.id)}"`)).toBe(true);
        seen.rejects++;
      },
    ),
    { numRuns: 700 },
  );
  expect(seen.rows).toBeGreaterThan(40);
  expect(seen.rejects).toBeGreaterThan(120);
  expect(seen.pages).toBeGreaterThan(5);
});
