import { flattenRecords } from '@edrlake/flattener';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { arrowRows, asSet, type Bench, INGEST_DAY, openBench, spool, stage, stagedRows } from './staging.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

const oddText = fc.oneof(
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
    '2020-08-17T04:15:06.1-11',
  ),
  fc.string({ unit: 'grapheme', maxLength: 8 }),
);
const oddNumber = fc.constantFrom(
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
);
const scalar = fc.oneof(
  { weight: 5, arbitrary: oddText.map((text) => JSON.stringify(text)) },
  { weight: 2, arbitrary: oddNumber },
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
    .map((items) => `[${items.join(',')}]`);

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
);

/** A record that is mostly an event; `n` keeps the ids of one batch apart. */
const record = (n: number) =>
  fc.oneof(
    {
      weight: 12,
      arbitrary: fc
        .tuple(optional, time)
        .map(([body, dateTime]) => withKey(withKey(body, 'dateTime', dateTime), 'id', `"e${n}"`)),
    },
    { weight: 1, arbitrary: unknownValue.map((text) => text.replace(/"(id|eventId)"/g, `"no$1"`)) },
  );

/** In front of the members; where the body has the key as well, the first counts. */
function withKey(body: string, key: string, value: string): string {
  return body === '{}' ? `{"${key}":${value}}` : `{"${key}":${value},${body.slice(1)}`;
}

test('DuckDB and Arrow flatten any records to the same rows', async () => {
  const batch = fc.tuple(...Array.from({ length: 150 }, (_, n) => record(n)));
  await fc.assert(
    fc.asyncProperty(batch, async (lines) => {
      const window = await spool(bench.directory, lines);
      const staged = await stage(bench, [window]);
      const bulk = await stagedRows(bench, staged);
      const inProcess = arrowRows(
        flattenRecords(lines.join('\n'), { windowId: window.window.id, ingestDay: INGEST_DAY }),
      );
      await staged.drop();
      for (const [name, rows] of Object.entries(bulk)) expect(asSet(rows), name).toEqual(asSet(inProcess[name] ?? []));
    }),
    { numRuns: 4, seed: 20200817 },
  );
});
