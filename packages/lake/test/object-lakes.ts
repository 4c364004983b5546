import { join } from 'node:path';
import { afterAll } from 'vitest';
import type { Lake, LakeOptions } from '../src/index.ts';
import { objectsOn } from './object-address.ts';
import { newDirectory, openSmall } from './opened-lakes.ts';
import { type S3Server, startS3Server } from './s3-server.ts';
import { DAY_1, deliver, HOUR, proofOfDays, type SmallEvent } from './small-lake.ts';

const started: S3Server[] = [];

// Not after each test: the lakes that it closes still ask their server.
afterAll(async () => {
  for (const server of started.splice(0)) await server.close();
});

/** A server that ends with the tests of the file. */
export async function newS3Server(): Promise<S3Server> {
  const server = await startS3Server();
  started.push(server);
  return server;
}

/** Opens the lake of a server as another machine would: with a work folder of its own, unless one is given. */
export async function openRemote(
  server: Pick<S3Server, 'url'>,
  more: Partial<LakeOptions> & { readonly work?: string } = {},
): Promise<Lake> {
  const { work = join(await newDirectory(), 'work'), ...options } = more;
  return openSmall(work, { objects: objectsOn(server), ...options });
}

/** What the lake of `filled` holds. */
export const STORED: readonly SmallEvent[] = ['a', 'b', 'c'].map((id, hour) => ({
  ...{ id, timeMs: DAY_1 + hour * HOUR, score: 1, issuers: ['x'] },
}));
/** One changed, one unchanged, one new, one that moves to the next day. */
export const DELIVERED: readonly SmallEvent[] = [
  { ...STORED[0], id: 'a', timeMs: DAY_1, score: 2 },
  { ...STORED[1], id: 'b', timeMs: DAY_1 + HOUR },
  { id: 'c', timeMs: DAY_1 + 25 * HOUR, score: 1, issuers: ['x'] },
  { id: 'd', timeMs: DAY_1 + 4 * HOUR, score: 4, issuers: ['x', 'y'] },
];
/** Events with the number of their child rows. */
export const ROWS =
  'SELECT event_id, event_date::VARCHAR, score, (SELECT count(*)::INTEGER FROM certificates c WHERE c.event_id = e.event_id) FROM events e ORDER BY ALL';
/** The rows of the first delivery. */
export const BEFORE = [
  ['a', '2020-08-17', 1, 1],
  ['b', '2020-08-17', 1, 1],
  ['c', '2020-08-17', 1, 1],
];
/** The rows after the second one. */
export const AFTER = [
  ['a', '2020-08-17', 2, 1],
  ['b', '2020-08-17', 1, 1],
  ['c', '2020-08-18', 1, 1],
  ['d', '2020-08-17', 4, 2],
];

/** A lake with the first events. */
export async function filled(server: S3Server, work?: string): Promise<Lake> {
  const lake = await openRemote(server, work === undefined ? {} : { work });
  await deliver(lake, STORED, { proofs: [proofOfDays(DAY_1, 1, STORED)] });
  return lake;
}
