import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { NO_FILTER, parseRange, seededRandom, systemClock } from '@edrlake/core';
import { agreementOf, connect, exportRange, openEdrLake, reconcile, repair } from '@edrlake/runner';
import { expect, it } from 'vitest';
import { type CaseGateway, startCaseGateway } from './gateway.ts';

const RANGE = parseRange('2021-03-27', '2021-03-28');
const DAYS = [parseRange('2021-03-27', '2021-03-27'), parseRange('2021-03-28', '2021-03-28')];
const OPTIONS = { concurrency: 2, batchBytes: 16 * 1024 * 1024, force: false, replace: false };

const time = (text: string) => `2021-03-${text}:00.000+0000`;

function eventOf(id: string, at: string, processed: string, host = 'h') {
  const [dateTime, eventProcessedTime] = [time(at), time(processed)];
  return { id, type: 'FILE', dateTime, eventProcessedTime, asset: { agentId: 'a', hostName: host } };
}

/** Five events a day. */
const PLAIN = Array.from({ length: 10 }, (_, n) => {
  const at = `${27 + (n % 2)}T0${n % 5}:0${n}`;
  return eventOf(`F_${n}`, at, at);
});

let runs = 0;

async function onLake(
  gateway: CaseGateway,
  work: (tools: {
    readonly backfill: (ranges: typeof DAYS) => ReturnType<typeof exportRange>;
    readonly compare: () => ReturnType<typeof reconcile>;
    readonly mend: () => Promise<void>;
    readonly lake: Awaited<ReturnType<typeof openEdrLake>>;
  }) => Promise<void>,
) {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-two-days-'));
  const services = () => {
    runs += 1;
    return {
      clock: systemClock,
      random: seededRandom(1),
      emit: () => undefined,
      signal: new AbortController().signal,
      newRunId: `20261122T000000Z-${String(runs).padStart(4, '0')}`,
    };
  };
  const connection = connect({ baseUrl: gateway.url, username: 'demo', password: 'demo' }, services());
  const lake = await openEdrLake(join(directory, 'lake'), { create: true, readOnly: false }, services());
  const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
  const compare = () => reconcile(ends, { range: RANGE, by: 'day' }, services());
  try {
    await work({
      lake,
      compare,
      backfill: (ranges) =>
        exportRange(
          ends,
          { axis: 'event', ranges: ranges.map((range) => ({ range })), scope: NO_FILTER },
          OPTIONS,
          services(),
        ),
      mend: async () => {
        await repair(ends, await compare(), OPTIONS, services());
      },
    });
  } finally {
    await connection.close();
    await lake.close();
    await gateway.close();
    await rm(directory, { recursive: true, force: true });
  }
}

const complete = [
  ['2021-03-27', 'complete'],
  ['2021-03-28', 'complete'],
];

it.each([
  ['processed at the same time, day by day', '28T05:00', '28T05:00', 'later', [[0], [1]]],
  ['processed at the same time, the later day first', '28T05:00', '28T05:00', 'later', [[1], [0]]],
  ['processed at the same time, in one export', '28T05:00', '28T05:00', 'later', [[0, 1]]],
  ['of which the earlier was processed last, day by day', '28T06:00', '28T05:00', 'earlier', [[0], [1]]],
])('an id listed on two days, %s: stored once, both days proven', async (_, first, second, winner, exports) => {
  const gateway = await startCaseGateway({
    events: [
      ...PLAIN,
      eventOf('F_twice', '27T10:00', first, 'earlier'),
      eventOf('F_twice', '28T03:30', second, 'later'),
    ],
  });
  await onLake(gateway, async ({ lake, backfill, compare, mend }) => {
    for (const days of exports) {
      const { outcome } = await backfill(days.map((day) => DAYS[day] ?? RANGE));
      expect(outcome).toBe('done');
    }
    const hosts = async () => {
      const found: string[] = [];
      const { rows } = await lake.query("select host_name from events where event_id = 'F_twice'");
      for await (const chunk of rows) found.push(...chunk.map(([host]) => String(host)));
      return found;
    };
    const verdicts = async () => (await lake.coverage(RANGE)).map(({ day, verdict }) => [day, verdict]);
    expect(await hosts()).toEqual([winner]);
    expect(await verdicts()).toEqual(complete);

    await mend();
    expect(agreementOf(await compare())).toBe('match');
    const twice = (await compare()).map(({ countedTwice }) => countedTwice);
    expect(twice).toEqual(winner === 'later' ? [1, 0] : [0, 1]);
    expect(await lake.listedTwice()).toBe(1);

    const [version, pages] = [(await lake.snapshot()).version, gateway.asked('events')];
    await mend();
    expect((await backfill(DAYS)).outcome).toBe('done');
    expect([(await lake.snapshot()).version, gateway.asked('events')]).toEqual([version, pages]);
    expect([await hosts(), await verdicts()]).toEqual([[winner], complete]);
  });
});
