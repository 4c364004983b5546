import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { type ColumnSpec, type ColumnType, type Dataset, type FetchedWindow, NO_FILTER, windowOf } from '@edrlake/core';
import { type ChildDefinition, defineTables, field } from '@edrlake/datasets';
import { recordShapeOf } from '@edrlake/flattener';
import { flattenRecords } from '@edrlake/flattener/in-process';
import { fieldTable, scanPage } from '@edrlake/pager';
import fc from 'fast-check';
import { expect } from 'vitest';
import {
  arrowRows,
  asSet,
  type Bench,
  drop,
  INGEST_DAY,
  stage,
  stagedRows,
} from '../../packages/flattener/test/staging.ts';

// Random table specs, records that fit them more or less, and the comparison of both executors over them.

const TYPES: readonly ColumnType[] = ['text', 'text', 'integer', 'bigint', 'boolean', 'timestamp'];
const NAMES = 'oldContent newContent a b_c @x x-y kind when actor process name path value tags data Id select'.split(
  ' ',
);

/** A delivered member: its dotted path, and the value that its column wants. */
export interface Member {
  readonly path: string;
  readonly column: ColumnSpec;
}

/** A dataset, and where its records have which kind of value. */
interface Spec {
  readonly dataset: Dataset;
  readonly members: readonly Member[];
  readonly arrays: readonly { readonly path: string; readonly members: readonly Member[] }[];
}

const rules = (type: ColumnType) =>
  type === 'text'
    ? (['path', 'extension'] as const)
    : type === 'timestamp'
      ? (['creation-time', 'validity'] as const)
      : [];

/** A column of each path; some have an alternative of the same type. */
function columnsOf(paths: readonly string[], prefix: string, hasAlternatives: boolean): fc.Arbitrary<ColumnSpec[]> {
  const groups = fc.array(
    fc.integer({ min: 1, max: 5 }).map((n) => (n === 5 ? 2 : 1)),
    {
      minLength: paths.length,
      maxLength: paths.length,
    },
  );
  return groups.chain((sizes) => {
    const columns: fc.Arbitrary<ColumnSpec>[] = [];
    for (let at = 0; at < paths.length; ) {
      const size = hasAlternatives ? Math.min(sizes[columns.length] ?? 1, paths.length - at) : 1;
      const own = paths.slice(at, at + size);
      const name = `${prefix}${columns.length}`;
      columns.push(
        fc
          .constantFrom(...TYPES, ...(size === 1 && !own[0]?.includes('.') ? (['json'] as const) : []))
          .chain((type) =>
            fc
              .option(fc.constantFrom(...rules(type), undefined), { nil: undefined })
              .map((rule) => field(name, type, own.join(' '), 'a random column', rule === undefined ? {} : { rule })),
          ),
      );
      at += size;
    }
    return fc.tuple(...columns);
  });
}

/** The members that feed the columns. */
export const membersOf = (columns: readonly ColumnSpec[]): Member[] =>
  columns.flatMap((column) => column.paths.map((path) => ({ path, column })));

/** Any dataset that is not refused: sections, alternatives, rules, JSON, up to two child tables of up to two arrays. */
const spec: fc.Arbitrary<Spec> = fc
  .record({
    top: fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 6 }),
    inside: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 5 }),
    deep: fc.uniqueArray(fc.constantFrom(...NAMES), { maxLength: 2 }),
    children: fc.array(fc.uniqueArray(fc.constantFrom(...NAMES), { minLength: 1, maxLength: 5 }), { maxLength: 2 }),
    twoArrays: fc.boolean(),
    leftovers: fc.subarray(['extraKnown', 'sec.extraKnown']),
  })
  .chain(({ top, inside, deep, children, twoArrays, leftovers }) => {
    const paths = [...top, ...inside.map((name) => `sec.${name}`), ...deep.map((name) => `sec.deeper.${name}`)];
    const tables = children.map((names, at) => columnsOf(names, `c${at}_`, false));
    return fc.tuple(columnsOf(paths, 'e', true), fc.tuple(...tables)).map(([columns, childColumns]) => {
      const arraysOf = (at: number) => (twoArrays ? `list${at} other.list${at}` : `list${at}`);
      const named = childColumns.map((own, at): [string, ChildDefinition] => [
        `child${at}`,
        {
          arrays: arraysOf(at),
          columns: own,
          ...(twoArrays && { arrayColumn: { name: 'came_from', meaning: 'array' } }),
        },
      ]);
      const dataset = defineTables({
        name: 'random',
        identity: 'uid uid2',
        times: { event: 'at', processed: 'meta.seen' },
        tables: { events: { columns }, children: Object.fromEntries(named) },
        shape: { leftovers },
      });
      const arrays = named.flatMap(([, { arrays, columns }]) =>
        arrays.split(' ').map((path) => ({ path, members: membersOf(columns) })),
      );
      return { dataset, members: membersOf(columns), arrays };
    });
  });

/** Values as JSON that fit few columns or none. */
export const ODD = fc.constantFrom(
  ...[
    'null',
    '""',
    '" "',
    '[]',
    '{}',
    '["a"]',
    '[" "]',
    '[1,2]',
    '{"q":1}',
    'true',
    '"TRUE"',
    '0',
    '-0',
    '1.50',
    '1e400',
  ],
  ...['12', '"12.0"', '9007199254740993', '-9223372036854775808', '"2020-02-30T00:00:00Z"', '1597637706123', '"..x"'],
  ...[
    '"1970-01-01T00:00:00.000+0000"',
    '"9999-12-31T23:59:59.999-05:00"',
    '"C:\\\\a//b\\\\"',
    '"\\\\\\\\s\\\\x"',
    '"é\\u0007"',
  ],
);

/** Values as JSON that a column of the type takes. */
export function fitting(type: ColumnType): fc.Arbitrary<string> {
  switch (type) {
    case 'integer':
      return fc.integer({ min: -99_999_999, max: 99_999_999 }).map(String);
    case 'bigint':
      return fc.bigInt({ min: -99_999_999_999n, max: 99_999_999_999n }).map(String);
    case 'boolean':
      return fc.constantFrom('true', 'false');
    case 'timestamp':
      return fc
        .date({ min: new Date('2001-01-01'), max: new Date('2029-12-31'), noInvalidDate: true })
        .map(instantText);
    case 'json':
      return fc.constantFrom('{"a":[1,{"b":null}]}', '[1,2]', '"text"', '{}');
    default:
      return fc.constantFrom('"text"', '"/usr//bin/"', '"C:\\\\Windows\\\\x.dll"', '".ext"', '"O\'Neill"', '7');
  }
}

const instantText = (date: Date) => `"${date.toISOString().replace('Z', '+0000')}"`;

const deliveredValue = ({ column }: Member) =>
  fc.oneof({ weight: 30, arbitrary: fitting(column.type) }, { weight: 1, arbitrary: ODD });

/** JSON text of an object with members by dotted path. */
export function objectText(members: readonly (readonly [string, string])[]): string {
  const inside = new Map<string, [string, string][]>();
  const own: string[] = [];
  for (const [path, value] of members) {
    const dot = path.indexOf('.');
    if (dot < 0) own.push(`${JSON.stringify(path)}:${value}`);
    else inside.set(path.slice(0, dot), [...(inside.get(path.slice(0, dot)) ?? []), [path.slice(dot + 1), value]]);
  }
  for (const [name, below] of inside) own.push(`${JSON.stringify(name)}:${objectText(below)}`);
  return `{${own.join(',')}}`;
}

function valuesOf(members: readonly Member[]): fc.Arbitrary<[string, string][]> {
  const each = members.map((member) =>
    fc
      .option(deliveredValue(member), { freq: 4, nil: null })
      .map((value): [string, string][] => (value === null ? [] : [[member.path, value]])),
  );
  return fc.tuple(...each).map((found) => found.flat());
}

/** Two records with one id would be one row in DuckDB, which compares them. */
const NO_ID = fc.constantFrom('null', '""', '[" "]', '[]');

const RARELY = { freq: 12, nil: null } as const;

/** A record of the dataset, with its id, as the API would deliver it. */
function recordOf({ members, arrays }: Spec, n: number): fc.Arbitrary<string> {
  const lists = arrays.map(({ path, members: own }) => {
    const element = fc.oneof(
      { weight: 20, arbitrary: valuesOf(own).map(objectText) },
      { weight: 1, arbitrary: ODD },
      { weight: 1, arbitrary: valuesOf(own).map((values) => objectText([...values, ['unknownInside', '{"z":1}']])) },
    );
    return fc
      .option(fc.array(element, { maxLength: 3 }), { freq: 3, nil: null })
      .map((found): [string, string][] => (found === null ? [] : [[path, `[${found.join(',')}]`]]));
  });
  const time = fc.oneof({ weight: 20, arbitrary: fitting('timestamp') }, { weight: 1, arbitrary: ODD });
  const unknown = fc.option(fc.constantFrom('brandNew', 'sec.brandNew', 'extraKnown', 'sec.extraKnown'), {
    freq: 1,
    nil: null,
  });
  const broken = fc.option(ODD, { freq: 1, nil: null });
  return fc
    .tuple(
      valuesOf(members),
      fc.tuple(...lists),
      time,
      unknown,
      ODD,
      fc.tuple(fc.nat(11), broken),
      fc.option(NO_ID, RARELY),
    )
    .map(([values, found, at, extra, extraValue, [chance, section], id]) => {
      const all: [string, string][] = [
        ...values,
        ...found.flat(),
        ['at', at],
        ['uid', id !== null && chance > 9 ? id : `"r${n}"`],
      ];
      if (extra !== null && chance < 2) all.push([extra, extraValue]);
      const isBroken = section !== null && chance === 11;
      const kept = isBroken ? all.filter(([path]) => !path.startsWith('sec.')) : all;
      return objectText(isBroken ? [...kept, ['sec', section]] : kept);
    });
}

let windowNumber = 0;

async function spoolPage(directory: string, dataset: Dataset, records: readonly string[]) {
  windowNumber += 1;
  const range = { startMs: windowNumber, endMs: windowNumber + 1 };
  const window = windowOf({ axis: 'event', range, cuts: [], scope: NO_FILTER });
  const path = join(directory, `spec-${windowNumber}.ndjson`);
  const file = await open(path, 'w');
  async function* body() {
    yield Buffer.from(`[${records.join(',\n')}]`);
  }
  const ids = dataset.tables[0]?.columns.find(({ name }) => name === 'event_id')?.paths ?? [];
  const known = fieldTable(recordShapeOf(dataset), [...ids]);
  const scanned = await scanPage(body(), { known, write: async (bytes) => void (await file.write(bytes)) });
  await file.close();
  const { writtenBytes: bodyBytes, recordCount, crc32, irregularRecords } = scanned;
  const page = { windowId: window.id, pageNumber: 0, path, bodyBytes, recordCount, crc32 };
  const counts = { bodyBytes: 0, recordCount, distinctIds: recordCount, withoutId: 0 };
  const fetched: FetchedWindow = { window, count: recordCount, pages: [page], ...counts, verdict: 'complete' };
  return { fetched, irregular: irregularRecords };
}

/** Flattens the same records in DuckDB, from a scanned page, and in this process. @returns how many were irregular */
export async function expectSameRows(bench: Bench, dataset: Dataset, records: readonly string[]): Promise<number> {
  const { fetched, irregular } = await spoolPage(bench.directory, dataset, records);
  const staged = await stage(bench, [fetched], dataset);
  const bulk = await stagedRows(bench, staged, dataset);
  await drop(bench, staged);
  const about = { windowId: fetched.window.id, ingestDay: INGEST_DAY };
  const inProcess = arrowRows(flattenRecords(dataset, records.join('\n'), about), dataset);
  for (const [name, rows] of Object.entries(bulk)) expect(asSet(rows), name).toEqual(asSet(inProcess[name] ?? []));
  return irregular;
}

/** Compares both executors over random datasets with records of each. */
export async function checkRandomSpecs(bench: Bench, numRuns: number, recordsEach: number): Promise<void> {
  let [irregular, total] = [0, 0];
  const batch = spec.chain((made) =>
    fc.tuple(fc.constant(made), fc.tuple(...Array.from({ length: recordsEach }, (_, n) => recordOf(made, n)))),
  );
  await fc.assert(
    fc.asyncProperty(batch, async ([{ dataset }, records]) => {
      irregular += await expectSameRows(bench, dataset, records);
      total += records.length;
    }),
    { numRuns, seed: 19_700, endOnFailure: true },
  );
  // Both kinds of SQL have been used.
  expect(irregular).toBeGreaterThan(total / 20);
  expect(irregular).toBeLessThan(total);
}
