import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { normalPath, type RecordShape, type ShapeMember, SPOOL_BROKEN, SPOOL_MEMBERS } from '@edrlake/core';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openSpool, type Spool } from '../src/fetch/spool.ts';
import { type FieldTable, fieldTable } from '../src/scan/field-table.ts';
import { scanPage } from '../src/scan/page-scanner.ts';
import { numberText } from '../src/scan/take-records.ts';

const SHAPE: RecordShape = {
  members: [
    { name: 'id', kind: 'text', column: 'id' },
    { name: 'eventId', kind: 'text', column: 'id' },
    { name: 'time', kind: 'timestamp', column: 'time' },
    { name: 'title', kind: 'text', column: 'title' },
    { name: 'score', kind: 'integer', column: 'score' },
    { name: 'details', kind: 'json', column: 'details' },
    { name: 'link', kind: 'leftover', column: null },
    {
      name: 'file',
      kind: 'section',
      members: [
        { name: 'path', kind: 'path', column: 'path' },
        { name: 'fileName', kind: 'file-name', column: 'file_name' },
        { name: 'image', kind: 'path', column: 'image' },
        { name: 'program', kind: 'path', column: 'image' },
        { name: 'size', kind: 'bigint', column: 'size' },
        { name: 'isSigned', kind: 'boolean', column: 'is_signed' },
        { name: 'owner', kind: 'section', members: [{ name: 'name', kind: 'text', column: 'owner' }] },
        {
          name: 'certificates',
          kind: 'list',
          members: [
            { name: 'subject', kind: 'text', column: 'subject' },
            { name: 'expires', kind: 'timestamp', column: 'expires' },
            { name: 'rank', kind: 'integer', column: 'rank' },
          ],
        },
      ],
    },
  ],
  required: ['id', 'time'],
};
const ID_FIELDS = ['id', 'eventId'];

/** A delivered record, and the values of its id fields, in the order of the fields. */
interface Delivered {
  readonly text: string;
  readonly id: string | null;
}

const gap = fc.constantFrom('', '', '', ' ', '\n', '\r\n\t');
const string = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: 9 }).map((text) => JSON.stringify(text)),
  fc.constantFrom('"C:\\\\Windows\\\\"', '"\\ud800"', '"\\udc00x"', '"\\ud83d\\ude00"', '"\\ud83d\\n"', '"\\u00e9\\""'),
  fc.constantFrom('""', '" "', '"\u00a0"', '"12"', '"-7"', '"007"', '"True"', '"😀"', '"[1]"', '"{"'),
);
const path = fc.oneof(
  fc.constantFrom(
    '"C:\\\\Windows\\\\"',
    '"C:\\\\a//b.dll"',
    '"C:/a"',
    '"\\/usr\\/bin\\/"',
    '"C:\\u005c\\u005ca"',
    '"//é//"',
  ),
  fc
    .array(fc.constantFrom('\\', '/', '//', 'C:', 'Win', 'é', '😀', 'x'), { minLength: 1, maxLength: 5 })
    .map((parts) => JSON.stringify(parts.join(''))),
);
const number = fc.constantFrom(
  '0',
  '-0',
  '7',
  '-12',
  '1.50',
  '1E400',
  '2147483648',
  '1234567890123456789',
  '999999999',
);
const scalar = fc.oneof(string, number, fc.constantFrom('true', 'false', 'null'));
const array = (item: fc.Arbitrary<string>) =>
  fc
    .tuple(fc.array(item, { maxLength: 3 }), gap)
    .map(([items, space]) => `[${space}${items.join(`${space},`)}${space}]`);
const time = fc.oneof(
  { weight: 20, arbitrary: fc.constantFrom('"2020-02-29T04:15:06.123+0000"', '"2020-08-17T23:59:59.999+0000"') },
  { weight: 1, arbitrary: fc.constantFrom('"2019-02-29T04:15:06.123+0000"', '"2020-08-17T04:15:06Z"', '" "') },
);
const mostly = (usual: fc.Arbitrary<string>, others: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 20, arbitrary: usual }, { weight: 1, arbitrary: others });
const fitting = {
  text: mostly(string, number),
  path: mostly(path, scalar),
  'file-name': mostly(fc.constantFrom('"a.dll"', '"a\\"b"', '"\\u00e9"', '7', '""'), fc.oneof(path, scalar)),
  integer: mostly(fc.constantFrom('0', '-12', '"12"', '999999999', 'null'), number),
  bigint: mostly(fc.constantFrom('0', '7', '"-7"', '123456789012345678', 'null'), number),
  boolean: mostly(fc.constantFrom('true', 'false', '"True"', 'null'), scalar),
  timestamp: mostly(time, scalar),
};
const TEXTS: readonly ShapeMember['kind'][] = ['text', 'path', 'file-name'];
const unknownName = mostly(
  fc.constantFrom('"novel"', '"Id"', '""', '"é"'),
  fc.constantFrom('"n\\u006fvel"', '"#extra"', '"#odd"', '"\\ud800"'),
);
const anything: fc.Arbitrary<string> = fc.oneof(
  { weight: 4, arbitrary: scalar },
  { weight: 1, arbitrary: array(scalar) },
  {
    weight: 1,
    arbitrary: fc.tuple(gap, unknownName, scalar).map(([space, name, value]) => `{${name}:${space}${value}}`),
  },
);

function valueFor(member: ShapeMember): fc.Arbitrary<string> {
  if (!('members' in member)) {
    const usual = fitting[member.kind as keyof typeof fitting] ?? anything;
    return TEXTS.includes(member.kind)
      ? mostly(usual, fc.oneof(array(usual), array(scalar), anything))
      : mostly(usual, anything);
  }
  const inside = objectOf(member.members);
  return mostly(member.kind === 'list' ? array(inside) : inside, anything);
}

const pairsOf = (members: readonly ShapeMember[]): fc.Arbitrary<readonly (readonly [string, string])[]> =>
  fc.uniqueArray(
    fc.oneof(
      {
        weight: 6,
        arbitrary: fc.oneof(...members.map((one) => fc.tuple(fc.constant(`"${one.name}"`), valueFor(one)))),
      },
      { weight: 1, arbitrary: fc.tuple(unknownName, anything) },
    ),
    { maxLength: 7, selector: ([name]) => name },
  );

const objectText = (pairs: readonly (readonly [string, string])[], space: string) =>
  `{${space}${pairs.map(([name, value]) => `${name}${space}:${value}`).join(`${space},`)}${space}}`;

function objectOf(members: readonly ShapeMember[]): fc.Arbitrary<string> {
  return fc.tuple(pairsOf(members), gap).map(([pairs, space]) => objectText(pairs, space));
}

const id = mostly(fc.constantFrom('"e1"', '"é"', '7', '"12"'), fc.oneof(string, number));
const record: fc.Arbitrary<Delivered> = fc
  .tuple(pairsOf(SHAPE.members), fc.option(id, { freq: 20 }), fc.option(time, { freq: 20 }), gap)
  .map(([body, ownId, instant, space]) => {
    const pairs = [...body];
    for (const [name, value] of [['"id"', ownId] as const, ['"time"', instant] as const]) {
      if (value !== null && !pairs.some(([other]) => other === name)) pairs.push([name, value]);
    }
    return { text: objectText(pairs, space), id: identity(pairs) };
  });
const element = fc.oneof(
  { weight: 12, arbitrary: record },
  { weight: 1, arbitrary: fc.oneof(scalar, array(scalar)).map((text) => ({ text, id: null })) },
);
const page = fc.array(element, { maxLength: 5 });

function identity(pairs: readonly (readonly [string, string])[]): string | null {
  for (const field of ID_FIELDS) {
    const text = pairs.find(([name]) => name === `"${field}"`)?.[1] ?? 'null';
    const value: unknown = JSON.parse(text);
    if (typeof value === 'number') return numberText(text);
    if (typeof value === 'boolean') return text;
    if (typeof value === 'string' && /[^ \t\n\v\f\r]/.test(value)) return withoutHalves(value);
  }
  return null;
}

async function* chunksOf(chunks: readonly Uint8Array[]) {
  yield* chunks;
}

async function scanned(chunks: readonly Uint8Array[], known: FieldTable) {
  const written: Buffer[] = [];
  const result = await scanPage(chunksOf(chunks), {
    known,
    write: async (bytes) => {
      written.push(Buffer.from(bytes));
    },
  });
  return { ...result, text: Buffer.concat(written).toString('utf8') };
}

function bodyOf(records: readonly Delivered[]): Buffer {
  return Buffer.from(`[${records.map(({ text }) => text).join(',\n')}]`);
}

/** Divides at arbitrary places, also inside characters, escapes and literals. */
function cut(bytes: Buffer, places: readonly number[]): Uint8Array[] {
  const cuts = [...new Set(places.map((place) => place % (bytes.length + 1)))].sort((a, b) => a - b);
  return [0, ...cuts].map((from, i) => bytes.subarray(from, cuts[i] ?? bytes.length));
}

const known = () => fieldTable(SHAPE, ID_FIELDS);
const singly = (bytes: Buffer) => [...bytes].map((byte) => Uint8Array.of(byte));

type Fields = Readonly<Record<string, unknown>>;

/** Text that UTF-8 can represent. */
const withoutHalves = (text: string) => Buffer.from(text).toString();

/** A JSON value without unpaired surrogates. */
function wellFormed(value: unknown): unknown {
  if (typeof value === 'string') return withoutHalves(value);
  if (Array.isArray(value)) return value.map(wellFormed);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([name, one]) => [withoutHalves(name), wellFormed(one)]));
}

const isBlank = (value: unknown) => typeof value === 'string' && /^[ \t\n\v\f\r]*$/.test(value);

/** A blank text stays in the line under a name that no column reads. */
function hide(line: Record<string, unknown>, name: string): void {
  line[`#${name.slice(1)}`] = line[name];
  delete line[name];
}

/** The text of a plain record; none of its file names has a separator. */
function said(kind: ShapeMember['kind'], value: unknown): unknown {
  if (kind === 'file-name') expect(String(value)).not.toMatch(/[\\/]/);
  return kind === 'path' && typeof value === 'string' ? normalPath(value) : value;
}

/**
 * The expected line of a plain record: single values without brackets, blank text hidden, and members without a column
 * once more.
 */
function plainOf(
  fields: Fields,
  members: readonly ShapeMember[],
  collectsBelow: boolean,
): { line: Fields; extra: Fields } {
  const line: Record<string, unknown> = {};
  const extra: Record<string, unknown> = {};
  const below: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    const member = members.find((one) => one.name === name);
    line[name] = value;
    if (member === undefined || member.kind === 'leftover') {
      if (value !== null) extra[name] = value;
    } else if ('column' in member && TEXTS.includes(member.kind) && Array.isArray(value) && member.column !== 'id') {
      const [only = ''] = value;
      line[name] = isBlank(only) ? value : said(member.kind, only);
      if (isBlank(only)) hide(line, name);
    } else if ('column' in member && TEXTS.includes(member.kind) && isBlank(value) && member.column !== 'id') {
      hide(line, name);
    } else if (member.kind === 'path' || member.kind === 'file-name') {
      line[name] = said(member.kind, value);
    } else if (member.kind === 'section' && value !== null) {
      const inside = plainOf(value as Fields, member.members, true);
      line[name] = inside.line;
      if (Object.keys(inside.extra).length > 0) below[name] = inside.extra;
    } else if (member.kind === 'list' && value !== null) {
      line[name] = (value as Fields[]).map((one) => withExtra(plainOf(one, member.members, false)));
    }
  }
  return { line, extra: collectsBelow ? { ...extra, ...below } : extra };
}

function withExtra({ line, extra }: { line: Fields; extra: Fields }): Fields {
  return Object.keys(extra).length === 0 ? line : { ...line, [SPOOL_MEMBERS.extra]: extra };
}

/** Checks that the line has the delivered content. */
function expectSaid(line: string, delivered: string): void {
  const found = JSON.parse(line) as Fields;
  const value = wellFormed(JSON.parse(delivered));
  const irregular = found[SPOOL_MEMBERS.irregular];
  if (irregular !== undefined) expect(JSON.parse(irregular as string)).toEqual(value);
  else expect(found).toEqual(withExtra(plainOf(value as Fields, SHAPE.members, true)));
}

let directory: string;
let spool: Spool;
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-shaped-'));
  spool = await openSpool(directory, { idFields: ID_FIELDS, shape: SHAPE });
});
afterAll(() => rm(directory, { recursive: true, force: true }));

test('lines have the delivered content and ids, for any chunks of the body', async () => {
  let plain = 0;
  await fc.assert(
    fc.asyncProperty(page, fc.array(fc.nat(), { maxLength: 9 }), async (records, places) => {
      const body = bodyOf(records);
      const whole = await scanned([body], known());
      const lines = whole.text.split('\n').slice(0, -1);
      expect(lines.length).toBe(records.length);
      for (const [n, { text }] of records.entries()) expectSaid(lines[n] as string, text);
      expect(whole.ids).toEqual(records.map(({ id }) => id));
      expect(whole.irregularRecords).toBe(lines.filter((line) => line.startsWith('{"#odd":"')).length);
      expect(await scanned(cut(body, places), known())).toEqual(whole);
      expect(await scanned(singly(body), known())).toEqual(whole);
      plain += records.length - whole.irregularRecords;
    }),
    { numRuns: 250 },
  );
  expect(plain, 'records that were plain').toBeGreaterThan(150);
});

const WITH_PATH = (value: string, rest = '') =>
  `{"id":"e1","time":"2020-08-17T04:15:06.000+0000","file":{${value}}${rest}}`;

test.each([
  ['a Windows path', '"path":"C:\\\\Win//a.dll"', '"path":"C:\\\\Win\\\\a.dll"'],
  ['a Unix path', '"path":"/usr//bin/"', '"path":"/usr/bin"  '],
  ['a path with escaped slashes', '"path":"\\/usr\\/bin\\/"', '"path":"/usr/bin"    '],
  ['a path in brackets', '"path":["C:\\\\"]', '"path": "C:\\\\" '],
  ['an unusual one in brackets', '"path":[ "C:\\\\Win\\\\" ]', '"path":  "C:\\\\Win"    '],
  ['an unusual spelling', '"path":"C:\\u005cWin\\\\"', '"path":"C:\\\\Win"      '],
  ['two paths for one column', '"image":"/a//b","program":"/a/b/"', '"image":"/a/b" ,"program":"/a/b" '],
  ['half of a surrogate pair', '"path":"/\\ud800//"', '"path":"/\ufffd"     '],
])('%s is normal in its line', async (_which, delivered, line) => {
  const { text, irregularRecords } = await scanned([Buffer.from(`[${WITH_PATH(delivered)}]`)], known());
  expect({ text, irregularRecords }).toEqual({ text: `${WITH_PATH(line)}\n`, irregularRecords: 0 });
});

test.each([
  ['a path that is longer in its normal form', '"path":"C:/a"'],
  ['a path with the replacement character', '"path":"/\ufffd/"'],
  ['a path before a name with a separator', '"path":"/usr//bin","fileName":"a/b"'],
  ['a name with an escaped separator', '"fileName":"a\\u005cb"'],
  ['a path of another form in brackets with others', '"path":["/usr//bin","/"]'],
  ['two paths that differ', '"image":"/usr//bin","program":"/usr"'],
])('%s is left in a record that does not fit', async (_which, delivered) => {
  const { text, irregularRecords } = await scanned([Buffer.from(`[${WITH_PATH(delivered)}]`)], known());
  expect(irregularRecords).toBe(1);
  expect(JSON.parse(text)).toEqual({ '#odd': WITH_PATH(delivered) });
});

test('a path in a record that cannot be read is kept as it was delivered', async () => {
  const [before, after] = WITH_PATH('"path":"/usr//|/"', ',"score":x').split('|') as [string, string];
  const misspelt = Buffer.from(before + after);
  const notUtf8 = Buffer.concat([Buffer.from(before), Buffer.from([0xe9]), Buffer.from(after.replace('x', '1'))]);
  const recordOf = async (record: Buffer) => {
    const { text, brokenRecords } = await scanned(
      [Buffer.concat([Buffer.from('['), record, Buffer.from(']')])],
      known(),
    );
    expect(brokenRecords).toBe(1);
    const { [SPOOL_MEMBERS.irregular]: line } = JSON.parse(text) as { [SPOOL_MEMBERS.irregular]: string };
    return (JSON.parse(line.slice(SPOOL_BROKEN.length)) as { record: unknown }).record;
  };
  expect(await recordOf(misspelt)).toBe(misspelt.toString());
  expect(await recordOf(notUtf8)).toMatchObject({ '#base64': notUtf8.toString('base64') });
});

test('two pages that are scanned at the same time have the same result as one after the other', async () => {
  await fc.assert(
    fc.asyncProperty(page, page, fc.integer({ min: 1, max: 40 }), async (one, other, stride) => {
      const bodies = [bodyOf(one), bodyOf(other)];
      const chunks = bodies.map((body) =>
        cut(
          body,
          Array.from({ length: body.length / stride }, (_, n) => n * stride),
        ),
      );
      const apart = [await scanned(chunks[0] ?? [], known()), await scanned(chunks[1] ?? [], known())];
      const shared = known();
      expect(await Promise.all(chunks.map((pieces) => scanned(pieces, shared)))).toEqual(apart);
    }),
    { numRuns: 80 },
  );
});

test('a spooled page is read again with the ids it had', async () => {
  let pageNumber = 0;
  await fc.assert(
    fc.asyncProperty(page, async (records) => {
      const key = { windowId: 'w', pageNumber: pageNumber++, attempt: 0 };
      const written = await spool.writePage(key, chunksOf([bodyOf(records)]));
      expect(await spool.verifyPage(written.page)).toEqual(written);
    }),
    { numRuns: 60 },
  );
});
