import fc from 'fast-check';
import { expect, test } from 'vitest';
import { networkTable } from '../src/hunt/addresses.ts';
import type { Lake } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const LAKES = 10;
const QUERIES_OF_A_LAKE = 1_000;
const run = { runId: 'r', signal: new AbortController().signal };

/** Few labels and octets, so that many values lie near what is sought without being it. */
const label = fc.constantFrom('a', 'b', 'evil', 'Evil', 'example', 'x-1', 'é');
const domain = fc.array(label, { minLength: 2, maxLength: 4 }).map((labels) => labels.join('.'));
const octet = fc.constantFrom(0, 1, 9, 10, 127, 128, 255);
const address = fc.oneof(
  fc.tuple(octet, octet, octet, octet).map((octets) => octets.join('.')),
  fc.tuple(fc.constantFrom('fe80', '2001:db8', 'FE80:0'), octet).map((ends) => ends.join('::')),
);
const host = fc.tuple(fc.constantFrom('WS', 'ws', 'büro', 'BÜRO'), fc.nat(40)).map((parts) => parts.join('-'));
const id = fc.nat(600).map((n) => `F_${n}`);

const event = fc.record({
  ...{ id, day: fc.nat(5), type: domain, agent: host },
  issuers: fc.array(address, { maxLength: 2 }),
});
const query = fc.oneof(
  domain.map((text) => `domain:${text}`),
  address.map((text) => `ip:${text}`),
  fc.tuple(octet, octet, octet, fc.nat(32)).map(([a, b, c, bits]) => `ip:${a}.${b}.${c}.0/${bits}`),
  host.map((text) => `host:${text}`),
  id.map((text) => `event:${text}`),
);

/** What a person with the events in hand would say: the ids of those that hold it. */
function holding(events: readonly SmallEvent[], { sought }: Indicator): string[] {
  const isHeld = (one: SmallEvent) =>
    sought.some(({ observable, how, value }) => {
      const values = { event: [one.id], domain: [one.type ?? ''], host: [one.agent ?? ''], ip: one.issuers ?? [] };
      const held = (values as Partial<Record<string, readonly string[]>>)[observable] ?? [];
      return held.some((text) => {
        const plain = text.toLowerCase();
        if (how === 'equal') return plain === value.toLowerCase();
        if (how === 'subdomains') return plain === value || plain.endsWith(`.${value}`);
        return how === 'network' && networkTable([{ value, key: 0 }]).holding(text).length > 0;
      });
    });
  return events.filter(isHeld).map((one) => one.id);
}

async function found(lake: Lake, indicators: readonly Indicator[]): Promise<string[][]> {
  const ids = indicators.map(() => new Set<string>());
  await lake.hunt(indicators, {
    onMatches: async (all) => {
      for await (const some of all) for (const { indicator, eventId } of some) ids[indicator]?.add(eventId);
    },
  });
  return ids.map((some) => [...some].sort());
}

/** `fc.sample` draws with the seed that all property tests have. */
const [lakes, queries] = [
  fc.sample(fc.array(event, { minLength: 60, maxLength: 180 }), LAKES),
  fc.sample(query, 10_000),
];

test('10,000 queries of lakes with an index find what their events hold, and nothing else', async () => {
  let matching = 0;
  let unread = 0;
  for (const [number, drawn] of lakes.entries()) {
    const events = [...new Map(drawn.map((one) => [one.id, one])).values()].map(
      ({ day, ...one }): SmallEvent => ({ ...one, timeMs: DAY_1 + day * DAY + HOUR }),
    );
    const lake = await openSmall(await newDirectory());
    // Two commits are known to the index, the last one is not.
    const third = Math.ceil(events.length / 3);
    await deliver(lake, events.slice(0, third));
    await lake.indexValues({}, run);
    await deliver(lake, events.slice(third, 2 * third));
    await lake.indexValues({}, run);
    if (number % 2 === 1) {
      await lake.compact({ minFiles: 2 }, run);
      await lake.indexValues({}, run);
    }
    await deliver(lake, events.slice(2 * third));
    const asked = queries
      .slice(number * QUERIES_OF_A_LAKE, (number + 1) * QUERIES_OF_A_LAKE)
      .flatMap((text) => recognise(text) ?? []);
    expect(asked.length).toBeGreaterThan(QUERIES_OF_A_LAKE * 0.9);
    const answers = await found(lake, asked);
    for (const [position, indicator] of asked.entries()) {
      const held = holding(events, indicator).sort();
      matching += held.length;
      expect(answers[position], indicator.text).toEqual(held);
    }
    for (const indicator of asked.slice(0, 5)) {
      const { files, filesRead } = await lake.hunt([indicator]);
      unread += files - filesRead;
    }
    await lake.close();
  }
  expect(matching).toBeGreaterThan(10_000);
  expect(unread).toBeGreaterThan(50);
}, 900_000);
