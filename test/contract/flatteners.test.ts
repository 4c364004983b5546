import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type FetchedWindow, MS_PER_DAY, NO_FILTER, type RecordShape, type StagedBatch, windowOf } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { recordShapeOf, stageRows } from '@edrlake/flattener';
import { flattenRecords } from '@edrlake/flattener/in-process';
import { fieldTable, scanPage } from '@edrlake/pager';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import {
  arrowRows,
  asSet,
  type Bench,
  drop,
  INGEST_DAY,
  openBench,
  type PlainRow,
  plainRow,
  stage,
  stagedRows,
} from '../../packages/flattener/test/staging.ts';

const SHAPE = recordShapeOf(QUALYS_EDR);

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const irregularText = fc.oneof(
  fc.constantFrom(
    '',
    ' ',
    '\t\n',
    '[',
    '[]',
    '["a"]',
    '{}',
    '{"a":1}',
    'null',
    'true',
    'FALSE',
    '0',
    '-0',
    '007',
    '12.0',
    '1.5',
    '1e3',
  ),
  fc.constantFrom('9007199254740993', '-9223372036854775808', '9223372036854775808', '2147483648', 'é😀\\"/\u001f'),
  fc.constantFrom(
    'C:\\Windows',
    'c:\\windows\\',
    'C:\\Windows//a.dll',
    '\\\\srv\\share\\x',
    '/usr//bin/',
    'a.dll',
    '..tar',
    '.',
    'C:\\',
  ),
  fc.constantFrom(
    '2020-08-17T04:15:06.000+0000',
    '1970-01-01T00:00:00.000+0000',
    '2020-08-17T23:59:59.9999+05:30',
    '2020-02-30T00:00:00.000+0000',
    '2020-08-17 04:15:06Z',
    '2020-08-17T04:15:06',
    '1597637706123',
    '1597637706',
    '0597637706',
    '15976377061',
    '9999-12-31T23:59:59.000+0000',
    '9999-12-31T23:59:59.999-05:00',
    '3020-01-01T00:00:00Z',
    '2020-08-17T04:15:06.1-11',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const irregularNumber = fc.constantFrom(
  '0',
  '-0',
  '1',
  '2147483648',
  '9007199254740993',
  '123456789012345678901234567890',
  '1.10',
  '-0.0',
  '1e2',
  '1e21',
  '1.5E-7',
  '1e999',
  '1597637706123',
  '1597637706',
);
const scalar = fc.oneof(
  { weight: 5, arbitrary: irregularText.map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: irregularNumber },
  { weight: 2, arbitrary: fc.constantFrom('true', 'false', 'null', 'null') },
);
const list = fc.array(scalar, { maxLength: 3 }).map((items) => `[${items.join(', ')}]`);
// JavaScript moves keys that look like array indexes to the front, so they cannot keep their place.
const keyName = fc.oneof(
  fc.constantFrom('newThing', 'a/b', 'x~y', '', 'q"', 'é', '7a', 'id', 'name', 'path', 'type'),
  fc.string({ unit: 'grapheme', maxLength: 4 }).filter((key) => !/^\d+$/.test(key)),
);
const object = (members: fc.Arbitrary<[string, string][]>) =>
  members.map((pairs) => {
    const unique = new Map(pairs);
    return `{${[...unique].map(([key, value]) => `${JSON.stringify(key)} : ${value}`).join(',')}}`;
  });
const unknownValue = fc.oneof(
  scalar,
  list,
  object(fc.array(fc.tuple(keyName, fc.oneof(scalar, list)), { maxLength: 3 })),
);
const anyValue = fc.oneof({ weight: 6, arbitrary: scalar }, { weight: 1, arbitrary: unknownValue });
const members = (
  known: readonly string[],
  value: fc.Arbitrary<string>,
  more: readonly fc.Arbitrary<[string, string]>[] = [],
) =>
  object(
    fc.array(
      fc.oneof(
        { weight: 8, arbitrary: fc.tuple(fc.constantFrom(...known), value) },
        { weight: 1, arbitrary: fc.tuple(keyName, unknownValue) },
        ...more.map((arbitrary) => ({ weight: 2, arbitrary })),
      ),
      { maxLength: 12 },
    ),
  );
const named = (name: string, value: fc.Arbitrary<string>): fc.Arbitrary<[string, string]> =>
  fc.oneof({ weight: 6, arbitrary: value }, { weight: 1, arbitrary: anyValue }).map((text) => [name, text]);
const elements = (known: readonly string[]) =>
  fc
    .array(fc.oneof({ weight: 5, arbitrary: members(known, anyValue) }, { weight: 1, arbitrary: unknownValue }), {
      maxLength: 3,
    })
    .chain((items) => fc.constantFrom(`[${items.join(',')}]`, `[${items.join(',')}]`, items[0] ?? '{}'));

const certificate = elements([
  'certificateHash',
  'certificateIssuer',
  'certificateValid',
  'certificateSigned',
  'certificateSignedDate',
  'expiryDate',
  'subject',
]);
const indicator = elements(['score', 'sha256', 'familyName', 'verdict', 'category', 'rowId']);
const file = members(
  ['path', 'fullPath', 'fileName', 'extension', 'size', 'createdDate', 'createDate', 'accessDate', 'owner'],
  anyValue,
  [named('certificates', certificate)],
);
const asset = members(['agentId', 'hostName', 'customerId', 'platform'], anyValue, [
  named('interfaces', elements(['ipAddress', 'macAddress'])),
  named('tags', elements(['id', 'name', 'uuid'])),
]);
const actor = members(
  ['processId', 'elevated', 'createDate', 'createdDate', 'imageFullPath', 'type', 'eventId'],
  anyValue,
);
const processSection = members(['pid', 'processName', 'fullPath', 'elevated', 'sid'], anyValue, [
  named('processFile', members(['fullPath', 'path', 'fileName', 'sha256', 'moduleName'], anyValue)),
]);
const network = members(['localIP', 'remoteIP', 'remoteDns', 'port'], anyValue);
const optional = members(
  [
    'eventId',
    'type',
    'action',
    'score',
    'customerId',
    'eventProcessedTime',
    'verdict',
    'infections',
    'registry',
    'mutex',
  ],
  anyValue,
  [
    named('file', file),
    named('asset', asset),
    named('actor', actor),
    named('process', processSection),
    named('network', network),
    named('indicator1', indicator),
    named('indicator2', indicator),
  ],
);
const time = fc.oneof(
  { weight: 8, arbitrary: fc.constant('"2020-08-17T04:15:06.123+0000"') },
  { weight: 1, arbitrary: anyValue },
  {
    weight: 2,
    arbitrary: fc
      .tuple(
        fc.constantFrom('T', 't', ' '),
        fc.constantFrom('04:15', '04:15:06', '23:59:60', '04:15:60', '24:00', '4:15'),
        fc.constantFrom('', '.5', ',123', ',123456789', ',', '.'),
        fc.constantFrom('', 'Z', 'z', '+0530', '-05', '+05:30', '+5'),
      )
      .map(([separator, clock, fraction, zone]) => `"2020-08-17${separator}${clock}${fraction}${zone}"`),
  },
);

/** The record, sometimes in a wrapper. */
const wrapped = (record: string) => {
  const others = fc.oneof(
    fc.constantFrom('', '"sortValues":[1597637706123,"x"],', '"_index" : "a" ,', '"type":"hit",'),
    fc.tuple(keyName, unknownValue).map(([key, value]) => `${JSON.stringify(key)}:${value},`),
  );
  return fc.oneof(
    { weight: 6, arbitrary: fc.constant(record) },
    { weight: 1, arbitrary: others.map((before) => `{${before}"data":${record}}`) },
    { weight: 1, arbitrary: others.map((after) => `{"data": ${record} , ${after}"n":null}`) },
  );
};

/** A record that is mostly an event; `n` keeps the ids of one batch distinct. */
const record = (n: number) =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .tuple(optional, time)
        .map(([body, dateTime]) => withKey(withKey(body, 'dateTime', dateTime), 'id', `"e${n}"`))
        .chain(wrapped),
    },
    { weight: 1, arbitrary: unknownValue.map((text) => text.replace(/"(id|eventId)"/g, `"no$1"`)) },
  );

/** Before the members; where the body has the key as well, the first one counts. */
function withKey(body: string, key: string, value: string): string {
  return body === '{}' ? `{"${key}":${value}}` : `{"${key}":${value},${body.slice(1)}`;
}

/** Nearly always one of the first, otherwise one of the others. */
const mostly = (usual: fc.Arbitrary<string>, others: fc.Arbitrary<string>) =>
  fc.oneof({ weight: 60, arbitrary: usual }, { weight: 1, arbitrary: others });
const instant = mostly(
  fc
    .tuple(
      fc.constantFrom('2020-08-17', '2019-02-28', '2020-02-29', '1999-12-31', '1970-01-01', '2000-02-29'),
      fc.constantFrom('04:15:06.123', '00:00:00.000', '23:59:59.999'),
    )
    .map(([day, clock]) => `"${day}T${clock}+0000"`),
  fc
    .tuple(
      fc.constantFrom('2020-08-17', '2019-02-29', '2020-13-01', '3000-01-01', '1900-02-29', '2020-8-17'),
      fc.constantFrom('04:15:06.123', '24:00:00.000', '04:60:00.000', '04:15:06'),
      fc.constantFrom('+0000', 'Z', '+0100', ''),
    )
    .map(([day, clock, offset]) => `"${day}T${clock}${offset}"`),
);
const plainText = mostly(
  fc.oneof(
    fc.constantFrom('"x"', '"C:\\\\Windows\\\\a.dll"', '""', '" "', '["one"]', '[ "one" ]', '[]', '[""]', '12', 'null'),
    fc.constantFrom('"\\u00e9"', 'true', '[null]', '[7]', '"[x]"', '"/usr//bin/"', '"..tar"'),
    fc.string({ unit: 'grapheme', maxLength: 6 }).map((text) => JSON.stringify(text)),
  ),
  fc.constantFrom('["a","b"]', '-0', '1.5', '[1.5]', '{}', '[[]]', '[ ]'),
);
const plainNumber = mostly(
  fc.constantFrom('0', '7', '-12', '999999999', '"4"', '"-4"', 'null'),
  fc.constantFrom('12.0', '-0', '"x"', '"007"', '" "', '""', '2147483648', '9223372036854775808', 'true'),
);
const flag = mostly(fc.constantFrom('true', 'false', '"true"', '"FALSE"', 'null'), fc.constantFrom('"no"', '""', '1'));
/** A value of the type that the field should have. */
const valueFor = (kind: string): fc.Arbitrary<string> => {
  const usual = { text: plainText, integer: plainNumber, bigint: plainNumber, boolean: flag, timestamp: instant }[kind];
  return mostly(usual ?? unknownValue, anyValue);
};
const pairsOf = (shape: RecordShape['members']): fc.Arbitrary<[string, string]>[] =>
  shape.map((member): fc.Arbitrary<[string, string]> => {
    if (!('members' in member)) return fc.tuple(fc.constant(member.name), valueFor(member.kind));
    const inside = shaped(member.members);
    const list = fc.array(inside, { maxLength: 2 }).map((items) => `[${items.join(' , ')}]`);
    return fc.tuple(fc.constant(member.name), member.kind === 'list' ? list : fc.oneof(inside, fc.constant('null')));
  });
const shaped = (shape: RecordShape['members']): fc.Arbitrary<string> =>
  object(
    fc.array(
      fc.oneof(
        { weight: 60, arbitrary: fc.oneof(...pairsOf(shape)) },
        { weight: 1, arbitrary: fc.tuple(keyName, unknownValue) },
      ),
      { maxLength: 8 },
    ),
  );
/** A record most of whose fields have the right types. */
const usualRecord = (n: number) =>
  fc
    .tuple(shaped(SHAPE.members), instant)
    .map(([body, dateTime]) => withKey(withKey(body, 'dateTime', dateTime), 'id', `"e${n}"`))
    .chain(wrapped);

let windowNumber = 0;

/** Spools the page with the records, as the export does. */
async function spoolPage(
  directory: string,
  records: readonly string[],
): Promise<{ window: FetchedWindow; irregular: number; ids: readonly (string | null)[] }> {
  windowNumber += 1;
  const window = windowOf({
    axis: 'event',
    range: { startMs: windowNumber, endMs: windowNumber + 1 },
    cuts: [],
    scope: NO_FILTER,
  });
  const path = join(directory, `page-${windowNumber}.ndjson`);
  const file = await open(path, 'w');
  async function* body() {
    yield Buffer.from(`[${records.join(',\n')}]`);
  }
  const scanned = await scanPage(body(), {
    known: fieldTable(SHAPE, ['id', 'eventId']),
    write: async (bytes) => void (await file.write(bytes)),
  });
  await file.close();
  const page = {
    windowId: window.id,
    pageNumber: 0,
    path,
    bodyBytes: scanned.writtenBytes,
    recordCount: scanned.recordCount,
    crc32: scanned.crc32,
  };
  const counts = { bodyBytes: 0, recordCount: records.length, distinctIds: records.length, withoutId: 0 };
  return {
    window: { window, count: records.length, pages: [page], ...counts, verdict: 'complete' },
    irregular: scanned.irregularRecords,
    ids: scanned.ids,
  };
}

test.each([
  ['that are mostly irregular', true, record, 3],
  ['that are mostly plain', false, usualRecord, 6],
] as const)(
  'a scanned page and Arrow flatten records %s to the same rows',
  async (_which, isMostlyIrregular, recordOf, numRuns) => {
    let irregular = 0;
    const batch = fc.tuple(...Array.from({ length: 150 }, (_, n) => recordOf(n)));
    await fc.assert(
      fc.asyncProperty(batch, async (lines) => {
        const spooled = await spoolPage(bench.directory, lines);
        irregular += spooled.irregular;
        const staged = await stage(bench, [spooled.window]);
        const bulk = await stagedRows(bench, staged);
        const { id: windowId } = spooled.window.window;
        const inProcess = arrowRows(flattenRecords(QUALYS_EDR, lines.join('\n'), { windowId, ingestDay: INGEST_DAY }));
        await drop(bench, staged);
        for (const [name, rows] of Object.entries(bulk))
          expect(asSet(rows), name).toEqual(asSet(inProcess[name] ?? []));
        await expectRows([spooled.window], staged, bulk);
      }),
      { numRuns, seed: 20200817, endOnFailure: true },
    );
    expect(
      isMostlyIrregular ? irregular : 150 * numRuns - irregular,
      'records that took the way this is about',
    ).toBeGreaterThan(75 * numRuns);
  },
);

/** Flattens the same pages in this process, and compares rows and findings. */
async function expectRows(
  windows: readonly FetchedWindow[],
  staged: StagedBatch,
  bulk: Readonly<Record<string, readonly PlainRow[]>>,
): Promise<void> {
  const { signal } = new AbortController();
  const batch = await stageRows(windows, { dataset: QUALYS_EDR, ingestDay: INGEST_DAY, signal });
  for (const table of QUALYS_EDR.tables) {
    const rows = (batch.rows[table.name] ?? []).map(({ row }) =>
      plainRow(table, (name) => {
        const at = table.columns.findIndex((column) => column.name === name);
        const cell = row[at] ?? null;
        return table.columns[at]?.type === 'date' && cell !== null ? Number(cell) * MS_PER_DAY : cell;
      }),
    );
    expect(asSet(rows), table.name).toEqual(asSet(bulk[table.name] ?? []));
  }
  const { windows: found, otherVersions, unknownFields, rejectReasons } = batch;
  expect({ found, otherVersions, unknownFields, rejectReasons }).toEqual({
    found: staged.windows,
    otherVersions: staged.otherVersions,
    unknownFields: staged.unknownFields,
    rejectReasons: staged.rejectReasons,
  });
}

test('records that repeat ids, are broken or are no records at all are staged alike in this process', async () => {
  const event = (id: string, dateTime: string, rest = '') =>
    `{"id":${JSON.stringify(id)},"dateTime":"${dateTime}"${rest}}`;
  const [one, other] = ['2020-08-17T04:15:06.123+0000', '2020-08-18T04:15:06.123+0000'];
  const late = ',"eventProcessedTime":"2020-08-19T04:15:06.123+0000"';
  const first = await spoolPage(bench.directory, [
    ...[event('a', one), event('a', one, ',"score":3'), event('b', one), event('c', one, late), event('c', other)],
    ...['{"id":null}', '{"id":null}', '[1]', 'null', '"text"', '{"id":"x","dateTime":"soon"}'],
    // Unreadable: a raw control character, and a lone surrogate.
    ...[`{"id":"raw\u0007","dateTime":"${one}","name":"\u0007"}`, '{"id":"cut","dateTime":"2020","name":"\ud800"}'],
    event('kept', one, ',"file":{"fileName":"a\u00e9😀","size":9007199254740993,"new":{"deep":[1.10]}},"zzz":null'),
  ]);
  const second = await spoolPage(bench.directory, [event('b', other, late), event('c', other), '{"id":null}']);
  const windows = [first.window, second.window];
  const staged = await stage(bench, windows);
  const bulk = await stagedRows(bench, staged);
  await drop(bench, staged);
  expect(staged.otherVersions.length).toBe(2);
  expect(bulk.rejects?.length).toBeGreaterThan(6);
  await expectRows(windows, staged, bulk);
});

const separator = fc.constantFrom('\\', '\\', '\\', '/', '\\\\', '//', '\\/', '\\\\\\');
const pathPart = fc.constantFrom(
  'Win',
  'win',
  'C:',
  'c:',
  'a.dll',
  'é',
  '😀',
  'ı:',
  '.',
  ' ',
  '\u00a0',
  'a"b',
  'C\u0301:',
  '\ufffd',
);
const anyPath = fc.oneof(
  fc.constantFrom('C:', 'C:\\', 'C:/', '/', '\\', '\\\\', '//', '\\/', '/\\', 'é\\', '😀b\\', 'ab/', 'a', '\\\\s\\x\\'),
  fc.array(fc.oneof(pathPart, separator), { minLength: 1, maxLength: 6 }).map((parts) => parts.join('')),
  fc.array(pathPart, { minLength: 2, maxLength: 4 }).map((parts) => `C:\\${parts.join('\\')}`),
  fc.array(pathPart, { minLength: 1, maxLength: 4 }).map((parts) => `/${parts.join('/')}`),
);
const fileName = fc.oneof({ weight: 8, arbitrary: pathPart }, { weight: 1, arbitrary: anyPath });
/** A text as JSON, sometimes in brackets or with unusual escapes. */
const written = (text: fc.Arbitrary<string>) =>
  fc
    .tuple(
      text.map((one) => JSON.stringify(one)),
      fc.nat({ max: 9 }),
    )
    .map(([json, form]) => {
      if (form === 0) return json.replaceAll('/', '\\/');
      if (form === 1) return json.replaceAll('\\\\', '\\u005c');
      if (form === 2) return json.replaceAll(/[/i]/g, (found) => `\\u00${found.charCodeAt(0).toString(16)}`);
      return form === 3 ? `[ ${json}]` : json;
    });
/** Paths of a file: mostly about one directory, in other forms. */
const filePaths = fc.tuple(anyPath, fileName, anyPath).chain(([directory, name, other]) => {
  const forms = [directory, `${directory}\\`, `${directory}//${name}`, directory.toUpperCase(), other];
  const fields = {
    path: written(fc.constant(directory)),
    fullPath: written(fc.constantFrom(...forms)),
    fileName: written(fc.constant(name)),
  };
  return fc.record(fields, { requiredKeys: [] });
});
const programPath = fc.tuple(anyPath, anyPath).chain(([one, other]) => {
  const form = fc.constantFrom(one, one, `${one}/`, one.replaceAll('\\', '\\\\'), other);
  return fc.record({ fullPath: written(form), inFile: written(form) }, { requiredKeys: [] });
});
const pairs = (fields: Readonly<Record<string, string | undefined>>) =>
  Object.entries(fields)
    .flatMap(([name, value]) => (value === undefined ? [] : [`"${name}" : ${value}`]))
    .join(',');
const recordOfPaths = (n: number) =>
  fc.tuple(filePaths, programPath, written(anyPath)).map(([file, { inFile, fullPath }, image]) => {
    const process = pairs({ fullPath, processFile: inFile === undefined ? undefined : `{"fullPath":${inFile}}` });
    return `{"id":"e${n}","dateTime":"2020-08-17T04:15:06.123+0000","file":{${pairs(file)}},"process":{${process}},"actor":{"imageFullPath":${image}}}`;
  });

test('the scan and SQL split paths like the rules in this process', async () => {
  let plain = 0;
  const batch = fc.tuple(...Array.from({ length: 400 }, (_, n) => recordOfPaths(n)));
  await fc.assert(
    fc.asyncProperty(batch, async (lines) => {
      const spooled = await spoolPage(bench.directory, lines);
      plain += lines.length - spooled.irregular;
      const staged = await stage(bench, [spooled.window]);
      const { events = [] } = await stagedRows(bench, staged);
      await drop(bench, staged);
      const { id: windowId } = spooled.window.window;
      const inProcess = arrowRows(flattenRecords(QUALYS_EDR, lines.join('\n'), { windowId, ingestDay: INGEST_DAY }));
      expect(asSet(events)).toEqual(asSet(inProcess.events ?? []));
    }),
    { numRuns: 2, seed: 20200817, endOnFailure: true },
  );
  expect(plain, 'records that took the usual way').toBeGreaterThan(250);
});

test('the scan and the tables distinguish the same ids, in any form', async () => {
  const forms = ['1e2', '100.0', '"100.0"', '100', '"100"', 'true', '"true"', 'false', '-0', '0', '"0"', '-0.0', '0.0'];
  const more = ['1.10', '1.1', '1E21', '1e+21', '1.5E-7', '12345678901234567890123', '1e999', '1e15', '1e16', '0.0001'];
  const lines = [...forms, ...more].map((id) => `{"id":${id},"dateTime":"2020-08-17T04:15:06.123+0000"}`);
  for (const each of [(line: string) => line, (line: string) => line.replace('{', '{"x":null,"score":"high",')]) {
    const { window, ids } = await spoolPage(bench.directory, lines.map(each));
    const staged = await stage(bench, [window]);
    const { events = [] } = await stagedRows(bench, staged);
    expect([...new Set(ids)].sort()).toEqual(events.map((row) => row.event_id).sort());
    expect(staged.windows[0]?.distinctIds).toBe(new Set(ids).size);
    await drop(bench, staged);
  }
});
