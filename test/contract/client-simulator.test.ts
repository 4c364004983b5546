import {
  createGatewayClient,
  createQualysSource,
  type GatewayClient,
  type GatewayClientOptions,
  type SearchAfterParams,
  windowQql,
} from '@edrlake/client';
import {
  type Clock,
  type CursorPage,
  EdrlakeError,
  type EventQuery,
  MS_PER_HOUR,
  NO_FILTER,
  seededRandom,
  type TimeAxis,
} from '@edrlake/core';
import {
  type Fault,
  type HistogramShape,
  type Simulator,
  type SimulatorOptions,
  startSimulator,
} from '@edrlake/simulator';
import { describe, expect, it, onTestFinished } from 'vitest';

// The client and the simulator were written separately from the same description of the API: where they disagree, one
// is wrong.

const NEVER = new AbortController().signal;
const START = Date.UTC(2020, 7, 17);
const DAY = { startMs: START, endMs: START + 24 * MS_PER_HOUR };
const MORNING = { startMs: START + 6 * MS_PER_HOUR, endMs: START + 12 * MS_PER_HOUR };
const OLD = { event: 'event.dateTime', processed: 'event.eventProcessedTime' };
const NEW = { event: 'event.datetime', processed: 'event.eventprocesstime' };

/** Virtual time: it jumps to the end of a wait as soon as nothing else is to be done. */
function hurriedClock(): Clock {
  let nowMs = Date.UTC(2026, 0, 1);
  return {
    nowMs: () => nowMs,
    sleep: (delayMs, signal) =>
      new Promise((resolve, reject) => {
        const untilMs = nowMs + delayMs;
        setImmediate(() => {
          if (signal.aborted) return reject(signal.reason);
          nowMs = Math.max(nowMs, untilMs);
          resolve();
        });
      }),
  };
}

interface Stage {
  readonly simulator: Simulator;
  readonly client: GatewayClient;
}

async function stage(
  options: Partial<SimulatorOptions> = {},
  clientOptions: Partial<GatewayClientOptions> = {},
): Promise<Stage> {
  const clock = hurriedClock();
  const simulator = await startSimulator({ events: 400, range: DAY, seed: 5, agents: 20, clock, ...options });
  onTestFinished(() => simulator.close());
  const client = createGatewayClient(
    { baseUrl: simulator.url, username: 'demo', password: 'demo', ...clientOptions },
    { clock, random: seededRandom(3), emit: () => {} },
  );
  onTestFinished(() => client.close());
  return { simulator, client };
}

interface Listed {
  readonly id: string;
  readonly [name: string]: unknown;
}

/** Reads a page as JSON, and requests it again when it is not JSON. */
async function rowsOf(body: AsyncIterable<Uint8Array>): Promise<Listed[]> {
  const pieces: Uint8Array[] = [];
  for await (const piece of body) pieces.push(piece);
  try {
    return JSON.parse(Buffer.concat(pieces).toString('utf8')) as Listed[];
  } catch (cause) {
    throw new EdrlakeError('BODY_BROKEN', 'not JSON', { disposition: 'retry', cause });
  }
}

function filterOf(range = DAY, axis: TimeAxis = 'event', timeTokens = OLD): string {
  const tokens = { timeTokens, typeToken: 'type', agentToken: 'asset.agentid' };
  return windowQql({ axis, range, cuts: [], scope: NO_FILTER }, tokens);
}

const ASCENDING = [{ 'event.dateTime': 'asc' as const }];
const idsOf = (rows: readonly Listed[]) => rows.map(({ id }) => id);

describe('/auth', () => {
  it.each(['jwt', 'opaque'] as const)(
    'a login gives a token that works and is renewed in time: %s',
    async (tokenShape) => {
      const { simulator, client } = await stage({ tokenShape, tokenLifetimeSeconds: 14_400 });
      await client.login(NEVER);
      expect(await client.count({}, NEVER)).toBe(400);
      expect(simulator.calls.of('auth').map(({ status }) => status)).toEqual([201]);
    },
  );

  it('a wrong password is final', async () => {
    const { simulator, client } = await stage({}, { password: 'p&w%+' });
    await expect(client.login(NEVER)).rejects.toMatchObject({ code: 'AUTH_REJECTED' });
    expect(simulator.calls.total).toBe(1);
  });
});

describe('/events', () => {
  it.each([
    ['event', OLD, 'old'],
    ['processed', OLD, 'old'],
    ['event', NEW, 'new'],
    ['processed', NEW, 'new'],
  ] as const)('pages of a range hold the truth in order: %s time, %o', async (axis, tokens, timeTokens) => {
    const { simulator, client } = await stage({ timeTokens });
    const params = {
      filter: filterOf(MORNING, axis, tokens),
      pageSize: 25,
      sort: [{ [tokens[axis]]: 'asc' as const }],
    };
    const expected = [...simulator.truth.ids(MORNING, axis)];
    const found: string[] = [];
    for (let pageNumber = 0; pageNumber * 25 <= expected.length; pageNumber++) {
      found.push(...idsOf(await client.events({ ...params, pageNumber }, rowsOf, NEVER)));
    }
    expect(found).toEqual(expected);
    expect(await client.count({ filter: params.filter }, NEVER)).toBe(expected.length);
  });

  it('every record arrives as it is', async () => {
    const { simulator, client } = await stage();
    const rows = await client.events({ filter: filterOf(), pageSize: 400, sort: ASCENDING }, rowsOf, NEVER);
    expect(rows).toEqual([...simulator.truth.indexes()].map((index) => simulator.truth.event(index)));
  });

  it('whole days, the direction of the order, attributes and the state are respected', async () => {
    const { simulator, client } = await stage({ range: { startMs: START, endMs: START + 3 * 24 * MS_PER_HOUR } });
    const days = { fromDate: START / 1000 + 24 * 3600, toDate: START / 1000 + 24 * 3600 + 5 };
    const ids = [...simulator.truth.ids({ startMs: DAY.endMs, endMs: DAY.endMs + 24 * MS_PER_HOUR })];
    const descending = [{ 'event.dateTime': 'desc' as const }];
    const page = { ...days, pageSize: 1000 };
    const rows = await client.events({ ...page, sort: descending, includeAttributes: ['id', 'type'] }, rowsOf, NEVER);
    expect(idsOf(rows).toSorted()).toEqual(ids.toSorted());
    expect(idsOf(rows)[0]).toBe(ids.at(-1));
    expect(rows.every((row) => Object.keys(row).toSorted().join() === 'id,type')).toBe(true);
    const without = await client.events({ ...page, excludeAttributes: ['asset'] }, rowsOf, NEVER);
    expect(without.every((row) => !('asset' in row) && 'type' in row)).toBe(true);
    const current = await client.count({ ...days, state: true }, NEVER);
    expect(await client.events({ ...page, state: true }, rowsOf, NEVER)).toHaveLength(current);
    expect(current).toBeLessThan(ids.length);
    expect(await client.count({ ...days, state: false }, NEVER)).toBe(ids.length);
  });

  it.each(['array', '204'] as const)('nothing found is an empty page: %s', async (emptyAnswer) => {
    const { client } = await stage({ emptyAnswer });
    expect(await client.events({ filter: `(${filterOf()}) AND (type: 'NOTHING')` }, rowsOf, NEVER)).toEqual([]);
  });

  it('a page beyond the result window is an error that asks for a smaller query', async () => {
    const { client } = await stage({ resultWindow: 100, pageSizeMax: 100 }, { maxResultWindow: 100 });
    const beyond = client.events({ pageNumber: 4, pageSize: 25 }, rowsOf, NEVER);
    await expect(beyond).rejects.toMatchObject({ code: 'RESULT_WINDOW_EXCEEDED', disposition: 'split' });
  });

  it('a wrong filter is reported', async () => {
    const { client } = await stage();
    await expect(client.count({ filter: 'no.such.token: 1' }, NEVER)).rejects.toMatchObject({
      code: 'FILTER_REJECTED',
    });
  });
});

describe('/events/count', () => {
  it('groups add up, under every parameter', async () => {
    const { client } = await stage();
    const total = (values: readonly { readonly count: number }[]) => values.reduce((sum, { count }) => sum + count, 0);
    const byType = await client.groupedCount({ groupBy: ['type'] }, NEVER);
    expect(total(byType.values)).toBe(400);
    const [first] = byType.values;
    expect(await client.count({ filter: `type: '${first?.value}'` }, NEVER)).toBe(first?.count);
    const byBoth = await client.groupedCount({ groupBy: ['agentId', 'type'] }, NEVER);
    expect(total(byBoth.values)).toBe(400);
    const fewest = await client.groupedCount({ groupBy: ['type'], limit: 2, sort: [{ count: 'asc' }] }, NEVER);
    expect(fewest.values.map(({ count }) => count)).toEqual(
      byType.values
        .map(({ count }) => count)
        .toSorted((a, b) => a - b)
        .slice(0, 2),
    );
    const morning = await client.groupedCount({ groupBy: ['type'], filter: filterOf(MORNING), state: false }, NEVER);
    expect(total(morning.values)).toBe(await client.count({ filter: filterOf(MORNING) }, NEVER));
  });

  it.each(['iso', 'epoch', 'from_to', 'key-count', 'key-doc_count'] as const satisfies readonly HistogramShape[])(
    'a histogram is the truth, bucket by bucket: %s',
    async (histogramShape) => {
      const { simulator, client } = await stage({ histogramShape });
      const source = createQualysSource(client);
      for (const axis of ['event', 'processed'] as const) {
        const query: EventQuery = { axis, range: MORNING, cuts: [], scope: NO_FILTER };
        for (const bucketMs of [MS_PER_HOUR, 1_000]) {
          const buckets = (await source.histogram?.(query, bucketMs, NEVER)) ?? [];
          expect(buckets.map(({ count }) => count)).toEqual(
            buckets.map(({ range }) => simulator.truth.count(range, axis)),
          );
          expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(simulator.truth.count(MORNING, axis));
        }
      }
    },
  );

  it('a platform without histograms is noticed', async () => {
    const { client } = await stage({ histogramShape: 'unsupported', timeBuckets: false });
    const source = createQualysSource(client);
    const query: EventQuery = { axis: 'event', range: MORNING, cuts: [], scope: NO_FILTER };
    await expect(source.histogram?.(query, MS_PER_HOUR, NEVER)).rejects.toBeInstanceOf(EdrlakeError);
    expect(source.histogram).toBeNull();
  });

  it('a platform with time buckets alone gives the same counts by them', async () => {
    const { simulator, client } = await stage({ histogramShape: 'unsupported' });
    const source = createQualysSource(client);
    const offHours = { startMs: MORNING.startMs + 90_000, endMs: MORNING.endMs - 600_000 };
    for (const range of [DAY, MORNING, offHours]) {
      const query: EventQuery = { axis: 'event', range, cuts: [], scope: NO_FILTER };
      const buckets = (await source.histogram?.(query, MS_PER_HOUR, NEVER)) ?? [];
      expect(buckets.length).toBeGreaterThan(5);
      for (const { range: bucket, count } of buckets) {
        expect([bucket.startMs % MS_PER_HOUR, bucket.endMs - bucket.startMs]).toEqual([0, MS_PER_HOUR]);
        const startMs = Math.max(bucket.startMs, range.startMs);
        expect(count).toBe(simulator.truth.count({ startMs, endMs: Math.min(bucket.endMs, range.endMs) }));
      }
      expect(buckets.reduce((sum, { count }) => sum + count, 0)).toBe(simulator.truth.count(range));
    }
    // The grouped count is not requested again.
    expect(simulator.calls.of('count')).toHaveLength(1);
    expect(simulator.calls.of('time-buckets')).toHaveLength(3);
  });

  it('a source counts, groups and pages the same events, narrowed by type and by agent', async () => {
    const { client } = await stage();
    const source = createQualysSource(client, { pageSize: 400 });
    for (const field of ['type', 'agent'] as const) {
      const whole: EventQuery = { axis: 'event', range: DAY, cuts: [], scope: NO_FILTER };
      const [group] = await source.groups(whole, field, 3, NEVER);
      const values = [group?.value ?? ''];
      const inside: EventQuery = { ...whole, cuts: [{ field, op: 'in', values }] };
      const outside: EventQuery = { ...whole, cuts: [{ field, op: 'not-in', values }] };
      expect(await source.count(inside, NEVER)).toBe(group?.count);
      expect(await source.count(outside, NEVER)).toBe(400 - (group?.count ?? 0));
      expect(await source.page(inside, 0, rowsOf, NEVER)).toHaveLength(group?.count ?? 0);
    }
  });
});

describe('/events/{agentId}/{eventId}', () => {
  it.each(['object', 'array', 'data'] as const)('is the whole event: %s', async (detailShape) => {
    const { simulator, client } = await stage({ detailShape });
    for (const index of [...simulator.truth.indexes()].slice(0, 20)) {
      const { id, asset } = simulator.truth.event(index) as { id: string; asset: { agentId: string } };
      const text = await client.eventDetail(asset.agentId, id, {}, NEVER);
      expect(JSON.parse(text)).toEqual(simulator.truth.detail(index));
    }
  });

  it('an event that does not exist is not found', async () => {
    const { client } = await stage();
    await expect(client.eventDetail('a/b', 'F_?#&', { state: true }, NEVER)).rejects.toMatchObject({
      code: 'NOT_FOUND',
    });
  });
});

describe('newer endpoints', () => {
  it.each(['searchAfterValues', 'searchAfterValue', 'body'] as const)(
    'searchAfter walks past the result window, each event once: %s',
    async (searchAfter) => {
      const { simulator, client } = await stage({ searchAfter, resultWindow: 100, pageSizeMax: 100 });
      const found: string[] = [];
      let searchAfterValues: string | null = null;
      do {
        const params: SearchAfterParams = { filter: filterOf(), pageSize: 90, sort: ASCENDING, searchAfterValues };
        const page: CursorPage<Listed[]> = await client.searchAfter(params, rowsOf, NEVER);
        found.push(...idsOf(page.value));
        searchAfterValues = page.next;
      } while (searchAfterValues !== null);
      expect(found).toEqual([...simulator.truth.ids()]);
      // Five pages, and an empty one after the cursor of the last page.
      expect(simulator.calls.of('search-after')).toHaveLength(6);
    },
  );

  it('time buckets tile the range and have the true counts', async () => {
    const { simulator, client } = await stage();
    const params = { fromDate: START / 1000, toDate: START / 1000, bucketCount: 24 };
    for (const [filter, range] of [[null, DAY] as const, [filterOf(MORNING), MORNING] as const]) {
      const buckets = await client.countTimeBuckets({ ...params, filter }, NEVER);
      expect(buckets).toHaveLength(24);
      expect([buckets[0]?.range.startMs, buckets.at(-1)?.range.endMs]).toEqual([range.startMs, range.endMs]);
      for (const [index, bucket] of buckets.entries()) {
        expect(bucket.count).toBe(simulator.truth.count(bucket.range));
        if (index > 0) expect(bucket.range.startMs).toBe(buckets[index - 1]?.range.endMs);
      }
    }
  });

  it('a platform without them says so', async () => {
    const { client } = await stage({ searchAfter: 'unsupported', timeBuckets: false });
    const missing = { code: 'RESPONSE_UNEXPECTED', context: { status: 404 } };
    await expect(client.searchAfter({}, rowsOf, NEVER)).rejects.toMatchObject(missing);
    await expect(client.countTimeBuckets({ bucketCount: 5 }, NEVER)).rejects.toMatchObject(missing);
  });
});

describe('limits', () => {
  it.each([
    ['joined', true],
    ['dashed', true],
    ['empty', false],
    ['none', false],
  ] as const)('headers spelled %s are understood', async (headerSpelling, areNamed) => {
    const { client } = await stage({
      headerSpelling,
      rateLimit: { requests: 77, windowSeconds: 600 },
      concurrencyLimit: 1,
    });
    await client.count({}, NEVER);
    const named = { requests: 77, windowSeconds: 600, requestsLeft: 76, concurrency: 1, fromHeaders: true };
    const assumed = { requests: 300, windowSeconds: 3600, requestsLeft: 299, concurrency: 2, fromHeaders: false };
    expect(client.limits()).toMatchObject(areNamed ? named : assumed);
  });

  it.each([429, 409] as const)('are kept without an answer of %s once they are known', async (limitStatus) => {
    const { simulator, client } = await stage({ limitStatus, rateLimit: { requests: 5, windowSeconds: 60 } });
    for (let n = 0; n < 18; n++) await client.count({}, NEVER);
    expect(simulator.calls.of('count').map(({ status }) => status)).toEqual(Array(18).fill(200));
  });

  it.each([429, 409] as const)('are waited for where no header named them: %s', async (limitStatus) => {
    const { client } = await stage({ limitStatus, concurrencyLimit: 1, rateLimit: { requests: 3, windowSeconds: 60 } });
    const counts = Array.from({ length: 8 }, () => client.count({}, NEVER));
    expect(await Promise.all(counts)).toEqual(Array(8).fill(400));
  });
});

const RECOVERED: readonly Fault[] = [
  ...[500, 502, 503, 504].flatMap((status): Fault[] =>
    (['json', 'plain', 'html', 'empty'] as const).map((body) => ({ kind: 'status', status, body })),
  ),
  { kind: 'status', status: 503, retryAfterSeconds: 30, limitHeaders: true },
  { kind: 'status', status: 429, toWaitSeconds: 90 },
  { kind: 'status', status: 429, retryAfterSeconds: 20, body: 'html' },
  { kind: 'status', status: 429, body: 'empty' },
  { kind: 'status', status: 409, toWaitSeconds: 45, limitHeaders: true },
  { kind: 'html' },
  { kind: 'stall', stallMs: 1_000 },
  { kind: 'stall', stallMs: null },
  { kind: 'stall', stallMs: 1_000, at: 'mid-body' },
  { kind: 'stall', stallMs: null, at: 'mid-body' },
  { kind: 'reset' },
  { kind: 'reset', at: 'mid-body' },
  { kind: 'truncated' },
  { kind: 'invalid-json' },
  { kind: 'expired-token' },
];

describe('faults', () => {
  it.each(RECOVERED.map((fault) => [JSON.stringify(fault), fault] as const))(
    'a call recovers from %s',
    async (_, fault) => {
      const { simulator, client } = await stage({ events: 60 }, { headersTimeoutMs: 250, bodyTimeoutMs: 250 });
      const [index = 0] = simulator.truth.indexes();
      const { id, asset } = simulator.truth.event(index) as { id: string; asset: { agentId: string } };
      const expected = [...simulator.truth.ids()];
      const page = { filter: filterOf(), pageSize: 60, sort: ASCENDING };
      const calls: readonly (readonly [Fault['match'], () => Promise<unknown>, unknown])[] = [
        [{ endpoint: 'events' }, async () => idsOf(await client.events(page, rowsOf, NEVER)), expected],
        [{ endpoint: 'count' }, () => client.count({}, NEVER), 60],
        [
          { endpoint: 'detail' },
          async () => JSON.parse(await client.eventDetail(asset.agentId, id, {}, NEVER)),
          simulator.truth.detail(index),
        ],
        [
          { endpoint: 'search-after' },
          async () => idsOf((await client.searchAfter(page, rowsOf, NEVER)).value),
          expected,
        ],
      ];
      for (const [match, ask, answer] of calls) {
        simulator.faults.push({ ...fault, ...(match && { match }) });
        expect(await ask()).toEqual(answer);
        expect(simulator.faults.pending).toBe(0);
      }
    },
  );

  it('a wrong page that looks right is delivered: the counts reveal it, not the client', async () => {
    const { simulator, client } = await stage({ events: 60 });
    const ask = async () =>
      idsOf(await client.events({ filter: filterOf(), pageSize: 100, sort: ASCENDING }, rowsOf, NEVER));
    const truth = await ask();
    simulator.faults.push({ kind: 'duplicate-row' }, { kind: 'missing-row' }, { kind: 'reorder' });
    expect(new Set(await ask()).size).toBe(59);
    expect(await ask()).toHaveLength(59);
    expect(await ask()).toEqual(truth.toReversed());
    simulator.faults.push({ kind: 'wrong-count', offBy: 3, match: { endpoint: 'count' } });
    expect(await client.count({}, NEVER)).toBe(63);
    const addition = { events: 5, range: MORNING, processedAtMs: DAY.endMs };
    simulator.faults.push({ kind: 'late-arrival', addition });
    expect(await ask()).toEqual(truth);
    expect(await ask()).toHaveLength(65);
    expect(await client.count({}, NEVER)).toBe(65);
  });
});
