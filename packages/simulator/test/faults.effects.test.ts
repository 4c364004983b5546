import { describe, expect, it } from 'vitest';
import { countOf, gateway, reader, START_MS } from './gateway.ts';

const SORT = '[{"event.dateTime":"asc"}]';

describe('faults', () => {
  it('happen in order, once each, to the requests they wait for', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    simulator.faults.push(
      { kind: 'status', status: 503, body: 'html', match: { endpoint: 'events', page: 1 } },
      { kind: 'status', status: 500, body: 'plain', match: { endpoint: 'count', after: 1 }, times: 2 },
    );
    expect(simulator.faults.pending).toBe(3);
    const statuses: number[] = [];
    for (const pageNumber of ['0', '1', '1']) statuses.push((await read('', { pageNumber })).status);
    for (let nth = 0; nth < 4; nth += 1) statuses.push((await read('/count')).status);
    expect(statuses).toEqual([200, 503, 200, 200, 500, 500, 200]);
    expect(simulator.faults.pending).toBe(0);
    expect(
      simulator.calls
        .all()
        .map((call) => call.fault)
        .filter((kind) => kind !== null),
    ).toEqual(['status', 'status', 'status']);
  });

  it('send limit evidence or not, and Retry-After', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    simulator.faults.push(
      { kind: 'status', status: 409 },
      { kind: 'status', status: 429, limitHeaders: true, toWaitSeconds: 12 },
      { kind: 'status', status: 503, retryAfterSeconds: 3, body: 'empty' },
    );
    const bare = await read('/count');
    expect([bare.status, bare.headers.get('x-ratelimit-limit')]).toEqual([409, null]);
    const limited = await read('/count');
    expect(limited.headers.get('x-ratelimit-towait-sec')).toBe('12');
    expect(limited.headers.get('x-ratelimit-limit')).toBe('1000000');
    const busy = await read('/count');
    expect([busy.status, busy.text, busy.headers.get('retry-after')]).toEqual([503, '', '3']);
  });

  it('end the connection before the headers or in the middle of the body', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    simulator.faults.push({ kind: 'reset' }, { kind: 'reset', at: 'mid-body' });
    await expect(read('')).rejects.toThrow();
    await expect(read('', { pageSize: '1000' })).rejects.toThrow();
    expect(simulator.calls.of('events').map((call) => call.status)).toEqual([null, 200]);
    expect((await read('')).status).toBe(200);
  });

  it('cap pages without saying so, or refuse the size and name the largest', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const page = (pageNumber: number) => read('', { sort: SORT, pageSize: '100', pageNumber: String(pageNumber) });
    const idsOf = async (pageNumber: number) => (await page(pageNumber)).json().map(({ id }) => id);
    const whole = [...(await idsOf(0)), ...(await idsOf(1))];
    simulator.faults.push({ kind: 'page-cap', largest: 30, times: 2 }, { kind: 'page-size-refused', largest: 30 });
    expect([...(await idsOf(0)), ...(await idsOf(1))]).toEqual(whole.slice(0, 60));
    const refused = await page(0);
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('pageSize must not exceed 30')]);
  });

  it('list some events twice, the same ones in any order and size of pages', async () => {
    const simulator = await gateway({ events: 100 });
    const read = await reader(simulator);
    simulator.faults.push({ kind: 'listed-twice', every: 10, times: 100 });
    const listing = async (size: number, direction: string) => {
      const ids: unknown[] = [];
      for (let pageNumber = 0; ; pageNumber++) {
        const params = {
          sort: `[{"event.dateTime":"${direction}"}]`,
          pageSize: String(size),
          pageNumber: String(pageNumber),
        };
        const rows = (await read('', params)).json();
        ids.push(...rows.map(({ id }) => id));
        if (rows.length < size) return ids;
      }
    };
    const listed = await listing(7, 'asc');
    expect(listed).toHaveLength(110);
    expect(new Set(listed).size).toBe(100);
    expect((await listing(11, 'desc')).sort()).toEqual(listed.sort());
  });

  it('stall until the client gives up or the simulator closes', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    simulator.faults.push({ kind: 'stall', stallMs: null }, { kind: 'stall', stallMs: null, at: 'mid-body' });
    const abort = new AbortController();
    const stalled = fetch(`${simulator.url}/ioc/events`, { signal: abort.signal });
    const other = read('', { pageSize: '100' });
    const failing = expect(other).rejects.toThrow();
    abort.abort();
    await expect(stalled).rejects.toThrow();
    await simulator.close();
    await failing;
  });

  it('break the JSON of a complete answer', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    simulator.faults.push({ kind: 'truncated' }, { kind: 'invalid-json' }, { kind: 'html' });
    for (const accept of ['gzip', 'identity', 'identity']) {
      const answer = await read('', { pageSize: '50' }, { 'accept-encoding': accept });
      expect(answer.status).toBe(200);
      expect(() => answer.json()).toThrow(SyntaxError);
    }
    expect((await read('', { pageSize: '50' })).json()).toHaveLength(50);
  });

  it('duplicate, drop and reorder rows', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const page = async () => (await read('', { pageSize: '100', sort: SORT })).json().map((row) => row.id);
    const right = await page();
    simulator.faults.push({ kind: 'duplicate-row' }, { kind: 'missing-row' }, { kind: 'reorder' });
    const doubled = await page();
    expect([doubled.length, new Set(doubled).size]).toEqual([100, 99]);
    expect(await page()).toHaveLength(99);
    const reordered = await page();
    expect(reordered).not.toEqual(right);
    expect(new Set(reordered)).toEqual(new Set(right));
    expect(await page()).toEqual(right);
  });

  it('let events arrive between two pages', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const addition = { events: 5, range: { startMs: START_MS, endMs: START_MS + 1 } };
    simulator.faults.push({ kind: 'late-arrival', addition, match: { endpoint: 'events', page: 0 } });
    const first = (await read('', { pageSize: '100', sort: SORT })).json();
    const second = (await read('', { pageSize: '100', pageNumber: '1', sort: SORT })).json();
    expect(new Set([...first, ...second].map((row) => row.id)).size).toBe(195);
    expect(await countOf(read, '')).toBe(3005);
  });

  it('answer a count with anything except the count', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    const hours = { groupBy: 'dateTime', interval: '1h' };
    simulator.faults.push(
      ...(['empty-body', 'no-content', 'error-object', 'bare-number', 'zero-count'] as const).map((kind) => ({ kind })),
    );
    expect(await read('/count')).toMatchObject({ status: 200, text: '' });
    expect(await read('/count')).toMatchObject({ status: 204, text: '' });
    expect((await read('/count')).json()).toEqual({ errorCode: 500, message: 'simulated fault' });
    expect(await read('/count')).toMatchObject({ status: 200, text: '3000' });
    expect(await countOf(read, '')).toBe(0);
    simulator.faults.push({ kind: 'zero-count' });
    expect((await read('/count', hours)).json()).toEqual({});
    expect(await countOf(read, '')).toBe(3000);
  });

  it('end the token, miscount, and refuse a login', async () => {
    const simulator = await gateway();
    const read = await reader(simulator);
    simulator.faults.push(
      { kind: 'wrong-count', offBy: -7 },
      { kind: 'wrong-count', offBy: 5 },
      { kind: 'expired-token' },
    );
    expect(await countOf(read, '')).toBe(2993);
    const buckets = (await read('/count', { groupBy: 'dateTime', interval: '1d' })).json<Record<string, number>>();
    expect(Object.values(buckets).reduce((a, b) => a + b, 0)).toBe(3005);
    expect((await read('/count')).status).toBe(401);
    expect((await read('/count')).status).toBe(401);
    const again = await reader(simulator);
    expect((await again('/count')).status).toBe(200);
    simulator.faults.push({ kind: 'status', status: 500, match: { endpoint: 'auth' } });
    expect((await again('/count')).status).toBe(200);
    expect(simulator.faults.pending).toBe(1);
    simulator.faults.clear();
    expect(simulator.faults.pending).toBe(0);
  });
});

describe('the call log', () => {
  it('keeps what was asked and answered, within its limit', async () => {
    const simulator = await gateway({ callLogLimit: 10 });
    const read = await reader(simulator);
    for (let nth = 0; nth < 25; nth += 1) await read('', { pageNumber: String(nth), pageSize: '20' });
    const calls = simulator.calls.all();
    expect(calls.length).toBeLessThanOrEqual(10);
    expect(calls.at(-1)).toMatchObject({ endpoint: 'events', status: 200, rows: 20, params: { pageNumber: '24' } });
    expect([simulator.calls.total, simulator.calls.dataTotal]).toEqual([26, 25]);
    simulator.calls.clear();
    expect(simulator.calls.total).toBe(0);
  });
});
