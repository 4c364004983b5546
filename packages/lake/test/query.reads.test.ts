import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import { expect, test } from 'vitest';
import { type Lake, type QueryReads, type ReadWay, uniteLakes } from '../src/index.ts';
import { placeOfBucket, type SentRequest } from '../src/object-store/direct-access.ts';
import { directFailure } from '../src/reading/direct-reading.ts';
import { leftOnAbort } from '../src/reading/left-on-abort.ts';
import { objectsOn } from './object-address.ts';
import { filled, newS3Server, openRemote } from './object-lakes.ts';
import { newDirectory } from './opened-lakes.ts';
import type { S3Server } from './s3-server.ts';

const SQL = 'SELECT count(event_id)::INTEGER FROM events';
/** What the machine has of DuckDB's extensions is no matter of these tests: there never is such a file. */
const NO_FILE = '/nowhere/httpfs.duckdb_extension';

async function opened(server: S3Server, way: ReadWay, work?: string): Promise<Lake> {
  const objects = objectsOn(server, { reads: { way, httpfsFile: NO_FILE } });
  return openRemote(server, { readOnly: true, objects, ...(work !== undefined && { work }) });
}

async function rowsOf(lake: Pick<Lake, 'query'>, sql: string) {
  const heard: QueryReads[] = [];
  const found: unknown[] = [];
  for await (const chunk of (await lake.query(sql, { onReads: (reads) => heard.push(reads) })).rows) {
    found.push(...chunk);
  }
  return { found, heard };
}

test('where httpfs cannot be loaded, copies are read, and it says why', async () => {
  const server = await newS3Server();
  await (await filled(server)).close();
  const work = join(await newDirectory(), 'work');
  const lake = await opened(server, 'auto', work);
  const why = expect.stringMatching(/^DuckDB v\d+\.\d+\.\d+ does not load \/nowhere\/httpfs\.duckdb_extension$/);
  expect(await rowsOf(lake, SQL)).toEqual({ found: [[3]], heard: [{ by: 'copies', files: 1, copies: 1, why }] });
  // Once they are here, nothing is asked for.
  const here = [{ by: 'copies', files: 1, copies: 1, why: 'all of them are here' }];
  expect(await rowsOf(lake, SQL)).toEqual({ found: [[3]], heard: here });
  expect((await rowsOf(lake, 'FROM coverage')).heard).toEqual([]);
  const file = join(work, 'answer.parquet');
  const heard: QueryReads[] = [];
  expect(await lake.queryToParquet(SQL, file, { onReads: (reads) => heard.push(reads) })).toBe(1);
  expect(heard).toEqual(here);
  const united = uniteLakes([
    { name: 'one', lake },
    { name: 'two', lake: await opened(server, 'copies') },
  ]);
  expect((await rowsOf(united, SQL)).heard).toEqual([
    { by: 'copies', files: 2, copies: 2, why: 'all of them are here' },
  ]);
});

test('copies that are asked for are read', async () => {
  const server = await newS3Server();
  await (await filled(server)).close();
  const { found, heard } = await rowsOf(await opened(server, 'copies'), SQL);
  expect({ found, heard }).toEqual({
    found: [[3]],
    heard: [{ by: 'copies', files: 1, copies: 1, why: 'they were asked for' }],
  });
});

test('httpfs that is demanded and cannot be loaded is an error that says what to do, and nothing is copied', async () => {
  const server = await newS3Server();
  await (await filled(server)).close();
  const work = join(await newDirectory(), 'work');
  const lake = await opened(server, 'httpfs', work);
  const refused = {
    code: 'USAGE',
    hint: expect.stringMatching(/INSTALL httpfs in a DuckDB shell of exactly version v/),
  };
  await expect(lake.query(SQL)).rejects.toMatchObject(refused);
  await expect(lake.queryToParquet(SQL, join(work, 'x.parquet'))).rejects.toMatchObject(refused);
  const copies = (await readdir(join(work, 'cache'), { recursive: true })).filter((path) => path.endsWith('.parquet'));
  expect(copies).toEqual([]);
});

const FILE = 'events/event_date=2020-08-17/20200817T000000Z-1-0.parquet';
const URL_OF_FILE = `http://127.0.0.1:1/lake/edr/${FILE.replace('=', '%3D')}`;

/** In the words of DuckDB 1.5.5. */
test.each([
  [
    `HTTP Error: HTTP GET error reading 's3://lake/edr/${FILE}' in region 'r' (HTTP 404 Not Found)`,
    'LAKE_CORRUPT',
    FILE,
  ],
  [
    `HTTP Error: HTTP GET error reading '${URL_OF_FILE}' in region 'r' (HTTP 403 Forbidden)\n\nInvalidAccessKeyId: SECRET`,
    'STORE_REFUSED',
    `s3://lake/edr/${FILE}: HTTP 403`,
  ],
  [`HTTP Error: HTTP GET error reading '${URL_OF_FILE}' in region 'r' (HTTP 400 Bad Request)`, 'STORE_REFUSED', '400'],
  [`HTTP Error: Request returned HTTP 503 for HTTP HEAD to '${URL_OF_FILE}'`, 'STORE_UNREACHABLE', 'HTTP 503'],
  [`IO Error: Could not connect to server error for HTTP HEAD to '${URL_OF_FILE}'`, 'STORE_UNREACHABLE', 'no answer'],
  [`IO Error: Timeout was reached error for HTTP GET to '${URL_OF_FILE}'`, 'STORE_UNREACHABLE', 'no answer'],
  [`Invalid Input Error: No magic bytes found at end of file 's3://lake/edr/${FILE}'`, 'LAKE_CORRUPT', FILE],
])('what DuckDB says of an object becomes an error of the store or the file: %s', (message, code, part) => {
  const lake = { addressOf: (path: string) => `s3://lake/edr/${path}`, files: new Map([[FILE, {}]]) };
  const failure = directFailure(new Error(message), [lake]);
  expect(failure?.explained).toMatchObject({ code, message: expect.stringContaining(part) });
  expect(failure?.explained.cause).toBeUndefined();
  expect(`${failure?.explained.message} ${failure?.why}`).not.toContain('SECRET');
});

test.each<readonly [SentRequest, boolean, ReturnType<typeof placeOfBucket>]>([
  [
    { protocol: 'https:', hostname: 'lake.s3.eu-central-1.amazonaws.com', path: '/edr/_lake.json' },
    false,
    { host: 's3.eu-central-1.amazonaws.com', isEncrypted: true, urlStyle: 'vhost' },
  ],
  [
    { protocol: 'http:', hostname: 'lake.local', port: 9000, path: '/lake/edr/_lake.json' },
    true,
    { host: 'lake.local:9000', isEncrypted: false, urlStyle: 'path' },
  ],
  [{ protocol: 'https:', hostname: 'store.example', path: '/below/lake/edr/_lake.json' }, true, null],
])('DuckDB is given the server that the client asks: %j', (sent, isInPath, place) => {
  expect(placeOfBucket(sent, 'lake', isInPath)).toEqual(place);
});

test('a file that no version names any more was replaced, and what is said of a statement stays', () => {
  const lake = { addressOf: (path: string) => `s3://lake/edr/${path}`, files: new Map() };
  const gone = `HTTP Error: HTTP GET error reading 's3://lake/edr/${FILE}' in region 'r' (HTTP 404 Not Found)`;
  expect(directFailure(new Error(gone), [lake])?.explained).toMatchObject({
    code: 'QUERY_FAILED',
    disposition: 'retry',
  });
  const others = ['Binder Error: no column x', 'Invalid Input Error: of the user', 'Out of Memory Error: full'];
  for (const message of others) expect(directFailure(new Error(message), [lake])).toBeNull();
  expect(directFailure(new EdrlakeError('USAGE', `IO Error: '${FILE}'`), [lake])).toBeNull();
});

test('work that does not hear an interruption is left, and what it comes to later is still taken care of', async () => {
  const interruption = new AbortController();
  let finish = (_: string) => {};
  const work = new Promise<string>((resolve) => {
    finish = resolve;
  });
  const late: string[] = [];
  const waiting = leftOnAbort(work, interruption.signal, (value) => late.push(value));
  interruption.abort(new EdrlakeError('INTERRUPTED', 'stop'));
  await expect(waiting).rejects.toMatchObject({ code: 'INTERRUPTED' });
  finish('done');
  await work;
  expect(late).toEqual(['done']);
  expect(await leftOnAbort(Promise.resolve('at once'), interruption.signal)).toBe('at once');
});
