import { readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { HuntMatch, HuntOptions, Lake } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { DAY, DAY_1, deliver, HOUR, proofOf, type SmallEvent } from './small-lake.ts';

const span = (from: number, to: number) => [DAY_1 + from * HOUR, DAY_1 + to * HOUR] as const;
const range = (from: number, to: number) => ({ startMs: DAY_1 + from * HOUR, endMs: DAY_1 + to * HOUR });
const [D1, D2, D3] = ['2020-08-17', '2020-08-18', '2020-08-19'];

const EVENTS: readonly SmallEvent[] = [
  {
    id: 'F_1',
    timeMs: DAY_1 + HOUR,
    agent: 'WS-1',
    type: 'a.evil.example',
    issuers: ['10.1.2.3', '10.1.2.3', 'fe80::1'],
  },
  { id: 'F_2', timeMs: DAY_1 + DAY + HOUR, agent: 'ws-2', type: 'evil.example', issuers: ['10.1.9.9'] },
  { id: 'F_3', timeMs: DAY_1 + 2 * DAY + HOUR, agent: 'WS-1', type: 'notevil.example', issuers: ['fe80:0:0:0::1'] },
];

function indicators(...texts: readonly string[]): Indicator[] {
  return texts.map((text) => {
    const indicator = recognise(text);
    if (indicator === null) throw new Error(text);
    return indicator;
  });
}

async function filled(proven: readonly (readonly [number, number])[] = [[0, 72]]): Promise<[Lake, string]> {
  const directory = await newDirectory();
  const lake = await openSmall(directory);
  const perDay = { [D1]: 1, [D2]: 1, [D3]: 1 };
  const daysOf = (from: number, to: number) =>
    Object.fromEntries(
      Object.entries(perDay).filter(([day]) => {
        const atMs = Date.parse(day) + HOUR;
        return span(from, to)[0] <= atMs && atMs < span(from, to)[1];
      }),
    );
  await deliver(lake, EVENTS, { proofs: proven.map(([from, to]) => proofOf(span(from, to), daysOf(from, to))) });
  return [lake, directory];
}

async function hunt(lake: Lake, texts: readonly string[], options: HuntOptions = {}) {
  const matches: HuntMatch[] = [];
  const report = await lake.hunt(indicators(...texts), {
    ...options,
    onMatches: async (all) => {
      for await (const some of all) matches.push(...some);
    },
  });
  return {
    report,
    found: matches.map((match) => `${texts[match.indicator]} ${match.eventId} ${match.column} ${match.value}`),
  };
}

describe('a hunt', () => {
  test('finds values, names below a name, networks and other spellings, in all tables, in any case', async () => {
    const [lake] = await filled();
    const { report, found } = await hunt(lake, ['EVIL.example', 'host:ws-1', '10.1.0.0/20', 'FE80::0001', 'event:f_2']);
    expect(found).toEqual([
      'EVIL.example F_1 event_type a.evil.example',
      'host:ws-1 F_1 agent_id WS-1',
      '10.1.0.0/20 F_1 issuer 10.1.2.3',
      'FE80::0001 F_1 issuer fe80::1',
      'EVIL.example F_2 event_type evil.example',
      '10.1.0.0/20 F_2 issuer 10.1.9.9',
      'event:f_2 F_2 event_id F_2',
      'host:ws-1 F_3 agent_id WS-1',
      'FE80::0001 F_3 issuer fe80:0:0:0::1',
    ]);
    expect(report.findings[1]).toMatchObject({
      ...{ verdict: 'seen', events: 2, hosts: 1, firstSeenMs: DAY_1 + HOUR, lastSeenMs: DAY_1 + 2 * DAY + HOUR },
      columns: ['events.agent_id'],
    });
    expect(report).toMatchObject({ matches: 9, coverage: { days: 3, provenDays: 3, unproven: [] } });
  });

  test('shows the event of a match in a child table, whether it is a match itself or not', async () => {
    const [lake] = await filled();
    const ownersFor = async (...texts: string[]) => {
      const owners: unknown[] = [];
      await lake.hunt(indicators(...texts), {
        onMatches: async (all) => {
          for await (const some of all)
            owners.push(
              ...some
                .filter(({ column }) => column === 'issuer')
                .map(({ eventId, agentId, eventType, value }) => [eventId, agentId, eventType, value]),
            );
        },
      });
      return owners;
    };
    const all = [
      ['F_1', 'WS-1', 'a.evil.example', '10.1.2.3'],
      ['F_2', 'ws-2', 'evil.example', '10.1.9.9'],
    ];
    expect(await ownersFor('10.1.0.0/20')).toEqual(all);
    expect(await ownersFor('10.1.0.0/20', 'event:f_1')).toEqual(all);
    expect(await ownersFor('10.1.0.0/20', 'event:f_1', 'event:f_2')).toEqual(all);
    // Few values, which are looked for without tables of their own.
    expect(await ownersFor('10.1.9.9')).toEqual(all.slice(1));
  });

  test('shows only what happened in its range, and says how much of that is proven', async () => {
    const [lake] = await filled([
      [0, 30],
      [34, 72],
    ]);
    expect(await hunt(lake, ['host:ws-1'], { range: range(0, 24) })).toMatchObject({
      ...{ found: ['host:ws-1 F_1 agent_id WS-1'], report: { coverage: { days: 1, provenDays: 1, unproven: [] } } },
    });
    const { report, found } = await hunt(lake, ['host:ws-1'], { range: range(2, 80) });
    expect(found).toEqual(['host:ws-1 F_3 agent_id WS-1']);
    expect(report.coverage).toMatchObject({ days: 4, provenDays: 2, unproven: [range(30, 34), range(72, 80)] });
    const { report: absent } = await hunt(lake, ['10.9.9.9', 'md5:44d88612fea8a8f36de82e1278abb02f']);
    expect(absent.findings.map(({ verdict }) => verdict)).toEqual(['not seen', 'not searchable']);
    expect(absent.coverage).toMatchObject({ days: 3, provenDays: 2, unproven: [range(30, 34)] });
  });

  test('calls nothing proven that the newest proof contradicts, or that had not settled', async () => {
    const [lake] = await filled();
    await deliver(lake, [], { proofs: [proofOf(span(3, 4), {}, { missing: 1 })] });
    expect((await hunt(lake, ['10.9.9.9'])).report.coverage.unproven).toEqual([range(0, 24)]);
    const early = await openSmall(await newDirectory());
    await deliver(early, EVENTS, {
      proofs: [proofOf(span(0, 96), { [D1]: 1, [D2]: 1, [D3]: 1 }, { atMs: DAY_1 + 90 * HOUR })],
    });
    const { report } = await hunt(early, ['10.9.9.9'], { range: range(24, 96) });
    expect(report.coverage.unproven).toEqual([{ startMs: DAY_1 + 90 * HOUR - 15 * 60_000, endMs: DAY_1 + 96 * HOUR }]);
  });

  test('does not know a day whose file is gone, or holds other bytes of the same number', async () => {
    const [lake, directory] = await filled();
    const files = (await lake.snapshot()).files;
    const [gone] = (files.certificates ?? []).filter(({ partition }) => partition.endsWith(D1));
    await rm(join(directory, gone?.path ?? ''));
    const { report } = await hunt(lake, ['10.1.2.3', '10.1.9.9']);
    expect(report.findings.map(({ verdict }) => verdict)).toEqual(['not seen', 'seen']);
    expect(report.coverage).toMatchObject({ provenDays: 2, lostDays: [D1], unproven: [range(0, 24)] });

    const [rotten] = (files.events ?? []).filter(({ partition }) => partition.endsWith(D3));
    const path = join(directory, rotten?.path ?? '');
    const bytes = await readFile(path);
    // In the middle of the pages: the footer and the size stay.
    bytes.writeUInt8(bytes.readUInt8(40) ^ 0xff, 40);
    await writeFile(path, bytes);
    const after = (await hunt(lake, ['host:ws-1'])).report;
    expect(after.findings[0]?.events).toBe(1);
    expect(after.coverage).toMatchObject({ lostDays: [D3], provenDays: 1 });
  });

  test('of an empty lake knows nothing, and can be interrupted', async () => {
    const lake = await openSmall(await newDirectory());
    const { report } = await hunt(lake, ['10.1.2.3']);
    expect(report).toMatchObject({ matches: 0, coverage: { range: null, days: 0 } });
    const stop = new AbortController();
    stop.abort();
    await expect(hunt(lake, ['10.1.2.3'], { signal: stop.signal })).rejects.toMatchObject({ code: 'INTERRUPTED' });
    expect((await hunt(lake, ['10.1.2.3'])).found).toEqual([]);
  });

  test('calls a value unknown that a reject may hold, and every value where rejects are lost', async () => {
    const [lake, directory] = await filled();
    const timeMs = DAY_1 + 2 * HOUR;
    const record = { id: '', path: 'C:\\Temp\\Dropper.exe', hash: '44D88612FEA8A8F36DE82E1278ABB02F' };
    await deliver(lake, [], {
      rejects: [
        { record, timeMs },
        { record: { '#text': '{"id"', '#bytes': 9e6 }, timeMs: DAY_1 + 2 * DAY },
      ],
    });
    const verdicts = async (texts: readonly string[], options: HuntOptions = {}) =>
      (await hunt(lake, texts, options)).report.findings.map(({ verdict, rejects }) => `${verdict} ${rejects}`);
    const sought = ['event:F_9', 'host:dropper.exe', 'host:ws-1', '192.168.0.0/16'];
    // Of the second day there is no reject; of the third one that was cut, which may have held anything.
    expect(await verdicts(sought, { range: range(0, 24) })).toEqual(['not seen 0', 'unknown 1', 'seen 0', 'unknown 1']);
    expect(await verdicts(sought, { range: range(24, 48) })).toEqual(Array(4).fill('not seen 0'));
    expect(await verdicts(sought, { range: range(48, 72) })).toEqual(['unknown 1', 'unknown 1', 'seen 1', 'unknown 1']);
    const { report } = await hunt(lake, ['event:F_9']);
    expect(report.coverage).toMatchObject({ rejects: 2, isRejectLost: false });
    const { files } = await lake.snapshot();
    await rm(join(directory, files.rejects?.[0]?.path ?? ''));
    expect((await hunt(lake, ['event:F_9'])).report.coverage).toMatchObject({ isRejectLost: true });
  });

  test('finds a value as often as it is there, from one row to more than a short list has', async () => {
    const lake = await openSmall(await newDirectory());
    const of = (agent: string, count: number): SmallEvent[] =>
      Array.from({ length: count }, (_, n) => ({ id: `${agent}_${n}`, timeMs: DAY_1 + n * 1_000, agent, type: 'x' }));
    await deliver(lake, [...of('ws-1', 1), ...of('WS-2', 200), ...of('ws-3', 201)]);
    const { report, found } = await hunt(lake, ['host:ws-1', 'host:ws-2', 'host:ws-3', 'host:ws-4']);
    expect(report.findings.map(({ matches, events, hosts }) => [matches, events, hosts])).toEqual([
      [1, 1, 1],
      [200, 200, 1],
      [201, 201, 1],
      [0, 0, 0],
    ]);
    for (const [n, count] of [1, 200, 201, 0].entries()) {
      const alone = await hunt(lake, [`host:ws-${n + 1}`]);
      expect(alone.report.findings).toEqual([report.findings[n]]);
      expect(alone.found).toHaveLength(count);
    }
    expect(found).toHaveLength(402);
    await lake.close();
  });
});
