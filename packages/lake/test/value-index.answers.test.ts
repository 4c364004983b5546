import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { DuckDBInstance } from '@duckdb/node-api';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { networkTable } from '../src/hunt/addresses.ts';
import type { HuntReport, Lake } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { keyTextsSql, soughtTexts } from '../src/value-index/index-keys.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const NEVER = new AbortController().signal;
const run = { runId: 'r', signal: NEVER };

function sought(text: string): Indicator {
  const indicator = recognise(text);
  if (indicator === null) throw new Error(text);
  return indicator;
}

/** The ids of events with each indicator, and the report. */
async function hunt(lake: Lake, texts: readonly string[]): Promise<[string[][], HuntReport]> {
  const found = texts.map(() => new Set<string>());
  const report = await lake.hunt(texts.map(sought), {
    onMatches: async (all) => {
      for await (const some of all) for (const { indicator, eventId } of some) found[indicator]?.add(eventId);
    },
  });
  return [found.map((ids) => [...ids].sort()), report];
}

const NAMES = ['evil.example', 'a.evil.example', 'b.a.evil.example', 'other.example', 'notevil.example'];
const ADDRESSES = ['10.1.2.3', '10.1.9.9', '10.2.0.1', '192.168.0.1', 'fe80::1', 'FE80:0::1', '::ffff:10.1.2.3'];
const HOSTS = ['WS-1', 'ws-1', 'ws-2', 'Büro-3'];
const QUESTIONS = [
  ...['evil.example', 'a.evil.example', 'other.example', 'absent.example'],
  ...['10.1.2.3', '10.1.0.0/16', '10.1.2.0/23', '10.0.0.0/7', '192.168.0.0/25', '10.9.0.0/16', 'fe80::1', 'fe80::/16'],
  ...['host:ws-1', 'host:büro-3', 'host:ws-9', 'event:f_1', 'event:f_77'],
];

const event = fc.record({
  day: fc.nat(5),
  type: fc.constantFrom(...NAMES),
  agent: fc.constantFrom(...HOSTS),
  issuers: fc.array(fc.constantFrom(...ADDRESSES), { maxLength: 2 }),
});
/** Commits of events, and what is done to the lake or its index between them. */
const step = fc.oneof(
  fc.array(event, { minLength: 1, maxLength: 6 }).map((events) => ({ events, act: 'commit' as const })),
  fc.constantFrom('compact', 'index', 'rebuild', 'lose', 'flip').map((act) => ({ events: [], act })),
);

type Drawn = Omit<SmallEvent, 'id' | 'timeMs'> & { readonly day: number };

async function live(
  lake: Lake,
  directory: string,
  steps: readonly { readonly act: string; readonly events: readonly Drawn[] }[],
) {
  let id = 0;
  for (const { act, events } of steps) {
    if (act === 'commit') {
      const named = events.map((one) => {
        id += 1;
        return { ...one, id: `F_${id}`, timeMs: DAY_1 + one.day * DAY + HOUR };
      });
      await deliver(lake, named);
    } else if (act === 'compact') await lake.compact({ minFiles: 2 }, run);
    else if (act === 'index' || act === 'rebuild') await lake.indexValues({ rebuild: act === 'rebuild' }, run);
    else {
      const folder = join(directory, '_values');
      const [name] = (await readdir(folder).catch(() => [])).filter((each) => each.endsWith('.parquet')).sort();
      if (name === undefined) continue;
      if (act === 'lose') await rm(join(folder, name));
      else {
        const bytes = await readFile(join(folder, name));
        bytes.writeUInt8(bytes.readUInt8(8) ^ 0xff, 8);
        await writeFile(join(folder, name), bytes);
      }
    }
  }
}

/** Names and addresses that are near each other, so that many pairs match. */
const label = fc.constantFrom('a', 'b', 'evil', 'Evil', 'example', 'É', 'x_1');
const name = fc.array(label, { minLength: 1, maxLength: 4 }).map((labels) => labels.join('.'));
const octet = fc.constantFrom(0, 1, 9, 10, 127, 128, 255);
const dotted = fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.'));
const six = fc
  .tuple(fc.constantFrom('fe80', '2001:db8', '', 'FE80:0'), fc.constantFrom('1', 'a:1', '10.1.2.3', 'ffff:10.1.2.3'))
  .map((ends) => ends.join('::'));
const network = fc.oneof(
  fc.tuple(dotted, fc.nat(32)).map((parts) => parts.join('/')),
  fc.tuple(six, fc.nat(128)).map((parts) => parts.join('/')),
  dotted,
  six,
);

describe('the keys of the index', () => {
  test('hold all that 10,000 pairs of a value and something sought have in common', async () => {
    const instance = await DuckDBInstance.create(':memory:');
    const connection = await instance.connect();
    const pairs = [
      ...fc.sample(
        fc.tuple(
          fc.constant('domain' as const),
          name,
          name.filter((text) => text.includes('.')),
        ),
        5_000,
      ),
      ...fc.sample(fc.tuple(fc.constant('ip' as const), fc.oneof(dotted, six), network), 5_000),
    ];
    const rows = pairs.map(([kind, value], n) => ({ kind, value, n }));
    const shape = '[{"kind":"VARCHAR","value":"VARCHAR","n":"INTEGER"}]';
    const keys = await connection.runAndReadAll(
      `SELECT n, to_json(CASE kind WHEN 'ip' THEN ${keyTextsSql('ip', 'value')} ELSE ${keyTextsSql('domain', 'value')} END)::VARCHAR
       FROM (SELECT unnest(from_json($rows::JSON, '${shape}'), recursive := true)) ORDER BY n`,
      { rows: JSON.stringify(rows) },
    );
    let matching = 0;
    for (const [n, list] of keys.getRows()) {
      const [kind, value, asked] = pairs[Number(n)] ?? ['ip', '', ''];
      const indicator = recognise(`${kind}:${asked}`);
      if (indicator === null) continue;
      const known = new Set(JSON.parse(String(list)) as string[]);
      for (const one of indicator.sought.filter(({ observable }) => observable === kind)) {
        const plain = value.toLowerCase();
        const isMeant =
          one.how === 'equal'
            ? plain === one.value
            : one.how === 'network'
              ? networkTable([{ value: one.value, key: 0 }]).holding(value).length > 0
              : plain === one.value || plain.endsWith(`.${one.value}`);
        if (!isMeant) continue;
        matching += 1;
        const texts = soughtTexts(one);
        expect(texts === null || texts.some((text) => known.has(text)), `${value} for ${asked}`).toBe(true);
      }
    }
    expect(matching).toBeGreaterThan(200);
    connection.closeSync();
    instance.closeSync();
  });
});

describe('the index of values', () => {
  test('changes no answer, not in any state of the lake or of itself', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { minLength: 2, maxLength: 8 }),
        fc.subarray(QUESTIONS, { maxLength: 5 }),
        async (steps, alone) => {
          const directory = await newDirectory();
          const lake = await openSmall(directory);
          await live(lake, directory, steps);
          const [withIndex] = await hunt(lake, QUESTIONS);
          for (const text of alone) {
            expect((await hunt(lake, [text]))[0][0], text).toEqual(withIndex[QUESTIONS.indexOf(text)]);
          }
          await rm(join(directory, '_values'), { recursive: true, force: true });
          expect((await hunt(lake, QUESTIONS))[0]).toEqual(withIndex);
          await lake.close();
        },
      ),
      { numRuns: 3 },
    );
  }, 120_000);

  test('leaves files unread that hold nothing, is kept up by writers, and is rebuilt when it is lost', async () => {
    const directory = await newDirectory();
    const first = await openSmall(directory);
    const one = (n: number): SmallEvent => ({
      ...{ id: `F_${n}`, timeMs: DAY_1 + n * DAY, agent: `ws-${n}`, type: `d${n}.example`, issuers: [`10.0.${n}.1`] },
    });
    await deliver(first, [one(1), one(2), one(3)]);
    expect(await first.valueIndex()).toBeNull();
    expect(await first.indexValues({}, run)).toMatchObject({ indexed: 6, known: 6, files: 6 });
    const reads = async (lake: Lake, text: string) => (await hunt(lake, [text]))[1].filesRead;
    expect(await reads(first, 'host:ws-2')).toBe(1);
    expect(await reads(first, 'd2.example')).toBe(1);
    expect(await reads(first, '10.0.3.0/24')).toBe(1);
    expect(await reads(first, '10.7.0.0/16')).toBe(0);
    await deliver(first, [one(4)]);
    // Not known yet, so read, also for what the index lacks.
    expect(await reads(first, 'host:ws-2')).toBe(2);
    expect((await hunt(first, ['host:ws-4', 'host:ws-2', 'host:ws-9']))[0]).toEqual([['F_4'], ['F_2'], []]);
    expect((await hunt(first, ['host:ws-4']))[0]).toEqual([['F_4']]);
    await first.close();
    const second = await openSmall(directory);
    expect(await second.valueIndex()).toMatchObject({ known: 8 });
    expect(await reads(second, 'host:ws-2')).toBe(1);
    for (let n = 5; n < 14; n += 1) {
      await deliver(second, [one(n)]);
      await second.indexValues({}, run);
    }
    expect((await readdir(join(directory, '_values'))).length).toBeLessThan(8);
    expect(await reads(second, 'host:ws-12')).toBe(1);
    await writeFile(join(directory, '_values/index.json'), 'broken');
    expect(await reads(second, 'host:ws-12')).toBe(13);
    expect(await second.indexValues({}, run)).toMatchObject({ indexed: 26, known: 26 });
    expect(await second.indexValues({}, run)).toMatchObject({ indexed: 0, known: 26 });
    expect(await reads(second, 'event:F_12')).toBe(1);
    const [name = ''] = (await readdir(join(directory, '_values'))).filter((each) => each.endsWith('.parquet'));
    const file = join(directory, '_values', name);
    const bytes = await readFile(file);
    bytes.writeUInt8(bytes.readUInt8(8) ^ 0xff, 8);
    await writeFile(file, bytes);
    expect(await reads(second, 'host:ws-12')).toBe(13);
    await rm(file);
    expect(await reads(second, 'host:ws-12')).toBe(13);
  });
});
