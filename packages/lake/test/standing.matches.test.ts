import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { Lake, StandingList } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { buildChild } from './child-build.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const run = { runId: 'r', signal: new AbortController().signal };
/** More with an option: `HUNT_LAKES=10000`. */
const LAKES = Number(process.env.HUNT_LAKES ?? 6);

function sought(text: string): Indicator {
  const indicator = recognise(text);
  if (indicator === null) throw new Error(text);
  return indicator;
}

const COLUMNS = ['list', 'indicator', 'table_name', 'column_name', 'value', 'event_id', 'agent_id'];
const TIMES = ['event_time', 'first_seen'].map((column) => `epoch_ms(${column})::DOUBLE`);

/** What the view shows, without when it was found. */
async function shown(lake: Lake): Promise<string[]> {
  const rows = await ask(lake, `select ${[...COLUMNS, ...TIMES].join(', ')} from hunt_matches`);
  return rows.map((row) => row.map(String).join(' ')).sort();
}

/** The same from a hunt over all of the lake. */
async function hunted(lake: Lake, lists: readonly StandingList[]): Promise<string[]> {
  const rows: string[] = [];
  for (const { name, indicators } of lists) {
    if (indicators.length === 0) continue;
    const first = new Map<number, number>();
    const found: [number, string][] = [];
    await lake.hunt(indicators, {
      onMatches: async (all) => {
        for await (const some of all) {
          for (const { indicator: n, table, column, value, eventId, eventMs, agentId } of some) {
            first.set(n, Math.min(first.get(n) ?? eventMs, eventMs));
            found.push([n, [name, indicators[n]?.text, table, column, value, eventId, agentId, eventMs].join(' ')]);
          }
        }
      },
    });
    rows.push(...found.map(([n, row]) => `${row} ${first.get(n)}`));
  }
  return rows.sort();
}

const NAMES = ['evil.example', 'a.evil.example', 'other.example'];
const ADDRESSES = ['10.1.2.3', '10.1.9.9', 'fe80::1'];
const HOSTS = ['ws-1', 'ws-2', 'WS-2'];
const VALUES = ['evil.example', 'other.example', '10.1.2.3', '10.1.0.0/16', 'fe80::/16', 'host:ws-2', 'event:f_1'];

const event = fc.record({
  id: fc.nat(6).map((n) => `F_${n}`),
  day: fc.nat(2),
  type: fc.constantFrom(...NAMES),
  agent: fc.constantFrom(...HOSTS),
  issuers: fc.array(fc.constantFrom(...ADDRESSES), { maxLength: 2 }),
});
const step = fc.oneof(
  {
    weight: 3,
    arbitrary: fc.array(event, { minLength: 1, maxLength: 5 }).map((events) => ({ act: 'commit', events })),
  },
  { weight: 3, arbitrary: fc.subarray(VALUES).map((values) => ({ act: 'lists', values })) },
  {
    weight: 3,
    arbitrary: fc.constantFrom('compact', 'index', 'forget', 'damage', 'lose', 'reopen').map((act) => ({ act })),
  },
);

interface Step {
  readonly act: string;
  readonly events?: readonly (Omit<SmallEvent, 'timeMs'> & { readonly day: number })[];
  readonly values?: readonly string[];
}

async function live(steps: readonly Step[]): Promise<void> {
  const directory = await newDirectory();
  let lake = await openSmall(directory);
  let lists: StandingList[] = [];
  let processedMs = DAY_1 + 10 * DAY;
  for (const { act, events = [], values = [] } of steps) {
    if (act === 'commit') {
      processedMs += HOUR;
      const once = [...new Map(events.map((one) => [one.id, one])).values()];
      // A later version of an event that the lake has replaces it.
      const dated = once.map(({ day, ...one }) => ({
        ...one,
        timeMs: DAY_1 + Number(one.id.slice(2)) * HOUR,
        processedMs,
        score: day,
      }));
      await deliver(lake, dated);
    } else if (act === 'lists') {
      lists = [
        { name: 'one.txt', indicators: values.map(sought) },
        ...(values.length > 3 ? [{ name: 'two.txt', indicators: values.slice(2).map(sought) }] : []),
      ];
      await lake.keepHunts(() => lists, run);
    } else if (act === 'compact') await lake.compact({ minFiles: 2 }, run);
    else if (act === 'index') await lake.indexValues({}, run);
    else if (act === 'reopen') {
      await lake.close();
      lake = await openSmall(directory);
    } else if (act === 'forget') {
      await rm(join(directory, '_hunts'), { recursive: true, force: true });
      await lake.keepHunts(() => lists, run);
    } else if (act === 'damage' || act === 'lose') {
      const folder = join(directory, '_hunts');
      const name = (await readdir(folder).catch(() => [])).find((each) => each.endsWith('.parquet'));
      if (name === undefined) continue;
      if (act === 'lose') await rm(join(folder, name));
      else await writeFile(join(folder, name), (await readFile(join(folder, name))).subarray(0, -1));
    }
  }
  await lake.keepHunts(() => lists, run);
  expect(await shown(lake)).toEqual(await hunted(lake, lists));
  expect((await lake.standingHunts())?.pending ?? 0).toBe(0);
  await lake.close();
}

describe('hunt_matches', () => {
  test('are those of a hunt over all of the lake after any change of it, of the lists or of what is derived', async () => {
    await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 3, maxLength: 10 }), live), { numRuns: LAKES });
  }, 3_600_000);

  const one = (n: number, more: Partial<SmallEvent> = {}): SmallEvent => ({
    ...{ id: `F_${n}`, timeMs: DAY_1 + n * HOUR, type: 'evil.example', agent: `ws-${n}`, ...more },
  });

  test('are the old or the new ones after a process was killed at any step', async () => {
    const child = await buildChild(new URL('./commit-child.ts', import.meta.url));
    for (const [step, occurrence] of [
      ['committed', 2],
      ['matches-written', 3],
      ['matches-named', 3],
    ] as const) {
      const directory = await newDirectory();
      const batches = [[one(1)], [one(2)], [one(3)]];
      const { signal } = await child.run({ directory, hunts: 'evil.example', batches, killAt: { step, occurrence } });
      expect(signal).toBe('SIGKILL');
      const reader = await openSmall(directory, { readOnly: true, create: false });
      // A reader that may write finishes the commit of a dead process, and what follows from it.
      const held = await ask(reader, 'select event_id from hunt_matches order by all');
      expect(held).toEqual([['F_1'], ['F_2']].slice(0, step === 'matches-written' ? 1 : 2));
      await reader.close();
      const writer = await openSmall(directory);
      await writer.close();
      const after = await openSmall(directory, { readOnly: true, create: false });
      expect(await ask(after, 'select event_id from hunt_matches order by all')).toEqual([['F_1'], ['F_2']]);
      await after.close();
    }
    await child.remove();
  }, 60_000);
});
