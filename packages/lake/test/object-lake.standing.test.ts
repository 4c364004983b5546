import { expect, test } from 'vitest';
import type { Lake, StandingList } from '../src/index.ts';
import { type Indicator, recognise } from '../src/indicators.ts';
import { newS3Server, openRemote } from './object-lakes.ts';
import { ask } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR, type SmallEvent } from './small-lake.ts';

const run = { runId: 'r', signal: new AbortController().signal };
const EVIL: StandingList = { name: 'evil.txt', indicators: [recognise('evil.example') as Indicator] };
const MATCHES = 'select list, event_id from hunt_matches order by all';

const one = (n: number, type = 'evil.example'): SmallEvent => ({
  ...{ id: `F_${n}`, timeMs: DAY_1 + n * HOUR, type, agent: `ws-${n}` },
});

test('another machine sees the lists of a bucket, and its commits are hunted', async () => {
  const server = await newS3Server();
  const first = await openRemote(server);
  await deliver(first, [one(1)]);
  await first.keepHunts(() => [EVIL], run);
  const second = await openRemote(server);
  expect(await ask(second, MATCHES)).toEqual([['evil.txt', 'F_1']]);
  await deliver(second, [one(2), one(3, 'other.example')]);
  await second.keepHunts(null, run);
  const expected = [
    ['evil.txt', 'F_1'],
    ['evil.txt', 'F_2'],
  ];
  expect(await ask(second, MATCHES)).toEqual(expected);
  expect(await ask(first, MATCHES)).toEqual(expected);
  expect((await first.newMatches('hook', 9)).count).toBe(2);
  expect(await ask(await openRemote(server, { readOnly: true }), MATCHES)).toEqual(expected);
});

test('machines that keep hunts of a bucket at once lose no list and no match', async () => {
  const server = await newS3Server();
  const lakes: Lake[] = [await openRemote(server), await openRemote(server), await openRemote(server)];
  for (const [n, lake] of lakes.entries()) await deliver(lake, [one(n)]);
  const add = (name: string) => (lists: readonly StandingList[]) => [...lists, { ...EVIL, name }];
  await Promise.all(lakes.map((lake, n) => lake.keepHunts(add(`list-${n}`), run)));
  const counts = 'select list, count(*)::INTEGER from hunt_matches group by all order by all';
  for (const lake of lakes) {
    expect(await ask(lake, counts)).toEqual(['list-0', 'list-1', 'list-2'].map((name) => [name, 3]));
  }
});

test('a bucket that loses its hunts gets them again, and a vacuum leaves what they use', async () => {
  const server = await newS3Server();
  const lake = await openRemote(server);
  await deliver(lake, [one(1), one(2)]);
  await lake.keepHunts(() => [EVIL], run);
  await lake.vacuum({ graceMs: 0 }, run);
  const fresh = await openRemote(server);
  expect(await ask(fresh, MATCHES)).toHaveLength(2);
  for (const key of [...server.objects.keys()]) if (key.startsWith('edr/_hunts/')) server.objects.delete(key);
  const after = await openRemote(server);
  await after.keepHunts(() => [EVIL], run);
  expect(await ask(after, MATCHES)).toHaveLength(2);
});
