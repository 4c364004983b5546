import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { openCasFile } from '../src/rate-limit/cas-file.ts';
import { formatState, parseState } from '../src/rate-limit/shared-state.ts';
import { isSettled, NEVER, NOTHING, oneRequest, START, shareBudget, temporaryFolder } from './shared-stage.ts';

const HOURLY = { userLimit: { requests: 10, windowSeconds: 3600 }, concurrency: 1 };

describe('a process that is killed', () => {
  it('frees its place, and its request in flight counts for one more window', async () => {
    const { open, kill, clock } = await shareBudget();
    const doomed = await open({ ...HOURLY, pid: 7 });
    const other = await open(HOURLY);
    await doomed.acquire(NEVER);
    const next = other.acquire(NEVER);
    await clock.advance(5_000);
    expect(await isSettled(next)).toBe(false);
    kill(7);
    await clock.advance(1_000);
    (await next).answered(null);
    expect(other.requestsLeft()).toBe(8);
    await clock.advance(3_600_000);
    expect(other.requestsLeft()).toBe(10);
  });

  it('delays no waiter behind it', async () => {
    const { open, kill, clock } = await shareBudget();
    const running = await open(HOURLY);
    const permit = await running.acquire(NEVER);
    const doomed = await open({ ...HOURLY, pid: 7, priority: 'high' });
    const other = await open(HOURLY);
    const abort = new AbortController();
    const lost = doomed.acquire(abort.signal);
    await isSettled(lost);
    kill(7);
    const next = other.acquire(NEVER);
    permit.answered(null);
    permit.ended();
    await clock.advance(1_000);
    (await next).unused();
    abort.abort(new DOMException('enough', 'AbortError'));
    await expect(lost).rejects.toMatchObject({ name: 'AbortError' });
  });

  it('on another host counts as dead only after ten minutes of silence', async () => {
    const { open, clock } = await shareBudget();
    const there = await open({ ...HOURLY, host: 'there' });
    const here = await open({ ...HOURLY, host: 'here' });
    await there.acquire(NEVER);
    const next = here.acquire(NEVER);
    await clock.advance(590_000);
    expect(await isSettled(next)).toBe(false);
    await clock.advance(20_000);
    (await next).unused();
  });

  it('at any step of writing leaves nothing that blocks others', async () => {
    const { open, directory, versions, kill } = await shareBudget();
    const doomed = await open({ ...HOURLY, pid: 7 });
    await oneRequest(doomed);
    const newest = (await versions()).at(-1) ?? '';
    const { holders } = JSON.parse(await readFile(join(directory, newest), 'utf8')) as { holders: { id: string }[] };
    const draft = join(directory, `draft-${holders[0]?.id}`);
    await writeFile(draft, '{"format":1,"acc');
    kill(7);
    const other = await open(HOURLY);
    await oneRequest(other);
    expect(other.requestsLeft()).toBe(8);
    expect((await versions()).filter((name) => name.startsWith('draft-'))).toEqual([]);
  });
});

describe('a state that cannot be read', () => {
  it.each([
    ['torn', '{"format":1,"account":{"serverLim'],
    ['empty', ''],
    ['of another program', '[1,2,3]'],
    ['of a later format', '{"format":2}'],
    [
      'with a number that is none',
      '{"format":1,"account":{"answered":[[null,1]]},"concurrency":null,"nextTicket":1,"holders":[]}',
    ],
    ['binary', '\u0000\u0001\u0002'],
  ])('is %s: nothing is known until headers report it', async (_, text) => {
    const { open, directory, versions } = await shareBudget();
    const before = await open(HOURLY);
    const running = await before.acquire(NEVER);
    const newest = Number.parseInt((await versions()).at(-1) ?? '', 10);
    await writeFile(join(directory, `${String(newest + 5).padStart(12, '0')}.json`), text);
    const after = await open(HOURLY);
    expect(after.requestsLeft()).toBe(10);
    running.answered({ ...NOTHING, remaining: 3, requests: 10, windowSeconds: 3600 });
    running.ended();
    expect(before.requestsLeft()).toBe(3);
    await oneRequest(after, { ...NOTHING, remaining: 2, requests: 10, windowSeconds: 3600 });
    expect([before, after].map((budget) => budget.requestsLeft())).toEqual([2, 2]);
    expect((await versions()).length).toBeLessThanOrEqual(9);
  });

  it('was emptied while in use: a process with requests in flight writes them again', async () => {
    const { open, directory } = await shareBudget();
    const [first, second] = [await open(HOURLY), await open(HOURLY)];
    const permit = await first.acquire(NEVER);
    await rm(directory, { recursive: true });
    await mkdir(directory);
    permit.answered(null);
    const next = second.acquire(NEVER);
    expect(await isSettled(next)).toBe(false);
    permit.ended();
    await first.close();
  });

  it('reads what it has written, and never throws on anything else', () => {
    fc.assert(
      fc.property(fc.json(), (text) => {
        expect(parseState(text)).toBeNull();
      }),
    );
    fc.assert(
      fc.property(fc.nat(400), fc.nat(400), (from, length) => {
        const whole = formatState({
          slidingWindow: {
            serverLimit: { requests: 300, windowSeconds: 3600 },
            answered: [[1, 2]],
            foreign: [[3, 1]],
            inFlight: 1,
            blockedUntilMs: 0,
            lastNowMs: 2,
            begun: 3,
            newestFacts: 1,
          },
          concurrency: 2,
          nextTicket: 4,
          holders: [
            {
              id: 'a',
              owner: { host: 'h', pid: 1, startIdentity: '' },
              priority: 'high',
              revision: 1,
              seenAtMs: 1,
              unanswered: 1,
              running: 1,
              waiting: { ticket: 1, notBeforeMs: 1, wakeAtMs: 1 },
            },
          ],
        });
        expect(parseState(whole)?.slidingWindow.inFlight).toBe(1);
        expect(formatState(parseState(whole) ?? expect.fail())).toBe(whole);
        parseState(whole.slice(0, from) + whole.slice(from + length));
      }),
    );
  });
});

describe('stored numbers beyond all bounds', () => {
  const FAR = Date.UTC(2300, 8, 13);
  const holder = (more: object) => ({
    ...{
      id: 'x',
      owner: { host: 'here', pid: 99, startIdentity: '' },
      priority: 'normal',
      revision: 1,
      seenAtMs: START,
    },
    ...{ unanswered: 0, running: 0, waiting: null, ...more },
  });
  const account = { serverLimit: null, answered: [], foreign: [], blockedUntilMs: 0, lastNowMs: START, begun: 1 };
  const state = (changes: object, holders: object[] = []) => ({
    format: 1,
    account: { ...account, newestFacts: 0, ...changes },
    concurrency: null,
    nextTicket: 1,
    holders,
  });

  it.each([
    ['a wait until 2300', state({ blockedUntilMs: FAR })],
    ['answers of 2300', state({ answered: [[FAR, 10]] })],
    ['requests of others until 2300', state({ foreign: [[FAR, 10]] })],
    ['a window of a thousand years', state({ serverLimit: { requests: 1, windowSeconds: 31_557_600_000 } })],
    ['a newest answer that is never reached', state({ newestFacts: 2 ** 52, begun: 2 ** 52 })],
    ['more requests under way than any process has', state({}, [holder({ running: 2 ** 50, unanswered: 2 ** 50 })])],
  ])('%s are forgotten, and said once', async (_, stored) => {
    const { open, directory, events } = await shareBudget();
    await mkdir(directory, { recursive: true });
    await writeFile(join(directory, '000000000007.json'), JSON.stringify(stored));
    const budget = await open(HOURLY);
    await oneRequest(budget, { ...NOTHING, remaining: 4, requests: 10, windowSeconds: 3600 });
    await oneRequest(budget, { ...NOTHING, remaining: 3, requests: 10, windowSeconds: 3600 });
    expect(budget.requestsLeft()).toBe(3);
    expect(events.filter(({ type }) => type === 'budget-forgotten')).toHaveLength(1);
  });

  it('what headers may ask for is kept', async () => {
    const { open, directory, events } = await shareBudget();
    await mkdir(directory, { recursive: true });
    const blocked = state({ blockedUntilMs: START + 7_200_000 });
    await writeFile(join(directory, '000000000007.json'), JSON.stringify(blocked));
    expect((await open(HOURLY)).requestsLeft()).toBe(0);
    expect(events).toEqual([]);
  });

  it('a file with the highest possible number is not a version', async () => {
    const { open, directory, versions } = await shareBudget();
    await oneRequest(await open(HOURLY));
    await writeFile(join(directory, '999999999999.json'), 'garbage');
    const budget = await open(HOURLY);
    await oneRequest(budget);
    expect(budget.requestsLeft()).toBe(8);
    expect(await versions()).not.toContain('999999999999.json');
  });
});

describe('a folder that cannot be written', () => {
  it('is reported when it is opened', async () => {
    const directory = await temporaryFolder();
    await writeFile(directory, 'a file, not a folder');
    expect(() => openCasFile(directory, 'w')).toThrow(expect.objectContaining({ code: 'LAKE_UNWRITABLE' }));
  });

  it('fails the next permit, not the request in flight, and loses nothing once it can be written again', async () => {
    const { open, directory } = await shareBudget();
    const budget = await open(HOURLY);
    const permit = await budget.acquire(NEVER);
    await rm(directory, { recursive: true });
    permit.answered(null);
    permit.ended();
    await expect(budget.acquire(NEVER)).rejects.toMatchObject({ code: 'LAKE_UNWRITABLE' });
    expect(budget.requestsLeft()).toBe(9);
    await mkdir(directory);
    await oneRequest(budget);
    expect(budget.requestsLeft()).toBe(8);
    await chmod(directory, 0o755);
  });
});

describe('versions', () => {
  it('have one winner each', async () => {
    const directory = await temporaryFolder();
    const writers = ['a', 'b', 'c'].map((id) => openCasFile(directory, id));
    for (let version = 1; version <= 30; version++) {
      const outcomes = writers.map((writer, index) => writer.put({ version, text: `${index}` }));
      expect(outcomes).toEqual(['put', 'taken', 'taken']);
    }
    expect(writers[2]?.latest()).toEqual({ version: 30, text: '0' });
  });

  it('a writer that was suspended for long writes nothing: its number was used and removed', async () => {
    const directory = await temporaryFolder();
    const [quick, slow] = [openCasFile(directory, 'quick'), openCasFile(directory, 'slow')];
    for (let version = 1; version <= 30; version++) quick.put({ version, text: 'quick' });
    expect(slow.put({ version: 4, text: 'slow' })).toBe('unsure');
    expect(slow.latest()).toEqual({ version: 30, text: 'quick' });
  });
});
