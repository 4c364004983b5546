import { join } from 'node:path';
import { expect, test } from 'vitest';
import { rebuildLog } from '../src/index.ts';
import { objectsOn } from './object-address.ts';
import { AFTER, DELIVERED, filled, newS3Server, openRemote, ROWS } from './object-lakes.ts';
import { ask, newDirectory } from './opened-lakes.ts';
import type { S3Server } from './s3-server.ts';
import { deliver, SMALL_OPTIONS } from './small-lake.ts';

/** Rebuilds as a machine of its own. */
async function rebuild(server: S3Server, force = false) {
  const directory = join(await newDirectory(), 'work');
  return rebuildLog({ ...SMALL_OPTIONS, directory, objects: objectsOn(server) }, { force, runId: 'rebuild' });
}

/** A lake whose first entry is lost. */
async function damaged(): Promise<S3Server> {
  const server = await newS3Server();
  const lake = await filled(server);
  await deliver(lake, DELIVERED);
  await lake.close();
  server.objects.delete('edr/_log/00000000000000000001.json');
  return server;
}

const logOf = (server: S3Server) =>
  [...server.objects.keys()].filter((key) => key.startsWith('edr/_log/')).map((key) => key.slice('edr/_log/'.length));

test('of two machines that rebuild a log at once, one has the version, and the lake is whole', async () => {
  const server = await damaged();
  const results = await Promise.allSettled([rebuild(server), rebuild(server)]);
  const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
  // The second one may begin before or after the first one is done, or replace the log while that opens it.
  for (const { code } of refused) expect(['LAKE_CONTENDED', 'USAGE', 'LAKE_CORRUPT']).toContain(code);
  expect(refused.length).toBeLessThan(2);
  expect(await ask(await openRemote(server), ROWS)).toEqual(AFTER);
});

test('a version that a writer took meanwhile is not taken over, and the next attempt has its files', async () => {
  const server = await damaged();
  server.fault = ({ method, key, isConditional }) => {
    // As the PUT of the claim arrives, another writer has just committed.
    if (method !== 'PUT' || !isConditional || !key.startsWith('edr/_log/')) return null;
    server.fault = () => null;
    server.objects.set(key, { body: Buffer.from('{"format":2,"version":3}'), changedAtMs: Date.now() });
    return null;
  };
  await expect(rebuild(server)).rejects.toMatchObject({ code: 'LAKE_CONTENDED', disposition: 'retry' });
  expect(logOf(server)).toContain('00000000000000000003.json');
  expect(await rebuild(server)).toMatchObject({ events: 4, removedRows: 0 });
  expect(await ask(await openRemote(server), ROWS)).toEqual(AFTER);
});

/** The objects of a server on which the log of this lake has just been rebuilt. */
async function rebuiltFrom(origin: S3Server, force = false): Promise<S3Server['objects']> {
  const server = await newS3Server();
  for (const [key, object] of origin.objects) server.objects.set(key, object);
  await rebuild(server, force);
  return server.objects;
}

/** As the claim of a version arrives, the log becomes what another machine has made of it. */
function meanwhile(server: S3Server, made: S3Server['objects']): void {
  server.fault = ({ method, key, isConditional }) => {
    if (method !== 'PUT' || !isConditional || !key.startsWith('edr/_log/')) return null;
    server.fault = () => null;
    for (const name of logOf(server)) server.objects.delete(`edr/_log/${name}`);
    for (const [name, object] of made) server.objects.set(name, object);
    return null;
  };
}

test('a rebuilding that comes late to its version leaves the log of the one that has it', async () => {
  const server = await damaged();
  meanwhile(server, await rebuiltFrom(server));
  await expect(rebuild(server)).rejects.toMatchObject({ code: 'LAKE_CONTENDED', disposition: 'retry' });
  expect(await ask(await openRemote(server), ROWS)).toEqual(AFTER);
});

test('a commit that comes late to its version is made on top of the rebuilt log', async () => {
  const server = await newS3Server();
  const lake = await filled(server);
  const made = await rebuiltFrom(server, true);
  meanwhile(server, made);
  await deliver(lake, DELIVERED);
  expect(await ask(await openRemote(server), ROWS)).toEqual(AFTER);
  expect(await ask(lake, ROWS)).toEqual(AFTER);
});

test('a commit is refused while the log is rebuilt, and made once that has ended', async () => {
  const server = await newS3Server();
  const lake = await filled(server);
  const made = await rebuiltFrom(server, true);
  const half = new Map([...made].filter(([key]) => !key.includes('checkpoint')));
  for (const [key, object] of server.objects) if (!key.includes('checkpoint')) half.set(key, object);
  meanwhile(server, half);
  await expect(deliver(lake, DELIVERED)).rejects.toMatchObject({ code: 'LAKE_CONTENDED', disposition: 'retry' });
  for (const [key, object] of made) server.objects.set(key, object);
  await deliver(lake, DELIVERED);
  expect(await ask(await openRemote(server), ROWS)).toEqual(AFTER);
});

test('killed at any request, the lake is refused or whole, and one more run makes it whole', async () => {
  const origin = await damaged();
  const before = origin.requests.length;
  const objects = new Map(origin.objects);
  await rebuild(origin);
  const total = origin.requests.length - before;
  // Every request from the claim on, and a few before.
  const claim = origin.requests.findIndex(
    ({ method, key }, at) => at >= before && method === 'PUT' && /3\.json$/.test(key),
  );
  expect(claim).toBeGreaterThan(before);
  // Before and after the claim, after the checkpoint, while the old log is moved, and while duplicates are removed.
  const first = claim - before;
  for (const step of [first - 1, first, first + 1, first + 3, Math.floor((first + total) / 2)]) {
    const server = await newS3Server();
    for (const [key, object] of objects) server.objects.set(key, object);
    server.fault = (_, number) => (number > step ? 'lost' : null);
    await rebuild(server).catch(({ code }) => expect(code).toBe('STORE_UNREACHABLE'));
    server.fault = () => null;
    const opened = await openRemote(server, { readOnly: true }).catch(({ code }) => code as string);
    if (typeof opened === 'string') expect(['LAKE_CORRUPT', 'LAKE_CONTENDED']).toContain(opened);
    else expect(new Set((await ask(opened, ROWS)).map(([id]) => id))).toEqual(new Set(AFTER.map(([id]) => id)));
    await rebuild(server, true);
    expect(await ask(await openRemote(server), ROWS), `request ${step}`).toEqual(AFTER);
    expect(logOf(server).filter((name) => !/checkpoint/.test(name) && name < '00000000000000000003.json')).toEqual([]);
  }
});
