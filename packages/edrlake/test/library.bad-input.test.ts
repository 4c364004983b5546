import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { flatten, flattenStream } from '../src/arrow.ts';
import {
  backfill,
  connect,
  defineDataset,
  EdrlakeError,
  enrich,
  events,
  field,
  type Lake,
  openLake,
  plan,
  QUALYS_FIM,
  reconcile,
  repair,
  runPipeline,
  sync,
} from '../src/index.ts';
import { startTestGateway, type TestGateway } from '../src/testing.ts';

// What programs without types, or with settings from elsewhere, hand to the library: each is refused before anything
// is asked or written, with a code, with what was expected and found, and with what to do.

const DAY = { from: '2020-08-17', to: '2020-08-17' };

let directory: string;
let gateway: TestGateway;
let lake: Lake;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-bad-input-'));
  gateway = await startTestGateway({ ...DAY, events: 50, seed: 3 });
  lake = await openLake(join(directory, 'lake'));
});
afterAll(async () => {
  await lake.close();
  await gateway.close();
  await rm(directory, { recursive: true, force: true });
});

/** Any value where the types want another one. */
const wrong = (value: unknown) => value as never;

const baseUrl = () => gateway.simulator.url;
const iterated = async (items: AsyncIterable<unknown>) => {
  for await (const _ of items);
};
const signal = { signal: 'soon' };

const BAD_CALLS: readonly (readonly [name: string, call: () => unknown, code: string, message: RegExp])[] = [
  ['no range', () => backfill(lake, gateway.source, wrong({})), 'RANGE_INVALID', /from: expected .*, found nothing/],
  [
    'a number as a day',
    () => backfill(lake, gateway.source, wrong({ ...DAY, to: 5 })),
    'RANGE_INVALID',
    /to: .* found 5/,
  ],
  ['no options', () => backfill(lake, gateway.source, wrong(undefined)), 'USAGE', /object with options, found nothing/],
  [
    'no request at once',
    () => backfill(lake, gateway.source, { ...DAY, concurrency: 0 }),
    'USAGE',
    /concurrency .* found 0/,
  ],
  ['NaN at once', () => backfill(lake, gateway.source, { ...DAY, concurrency: Number.NaN }), 'USAGE', /found NaN/],
  [
    'a share of 5',
    () => backfill(lake, gateway.source, { ...DAY, maxRejectShare: 5 }),
    'USAGE',
    /from 0 to 1, found 5/,
  ],
  ['an empty filter', () => backfill(lake, gateway.source, { ...DAY, filter: '' }), 'USAGE', /filter .* an empty text/],
  ['a signal that is none', () => backfill(lake, gateway.source, wrong({ ...DAY, ...signal })), 'USAGE', /signal/],
  ['a copied lake', () => backfill({ ...lake }, wrong({}), DAY), 'USAGE', /a source that connect has made/],
  ['no lake', () => backfill(wrong(undefined), gateway.source, DAY), 'USAGE', /a lake that openLake has opened/],
  [
    'another axis',
    () => plan(gateway.source, wrong({ ...DAY, axis: 'time' })),
    'USAGE',
    /event or processed, found "time"/,
  ],
  [
    'a look-back below 0',
    () => sync(lake, gateway.source, { lookBackHours: -1 }),
    'USAGE',
    /lookBackHours .* found -1/,
  ],
  ['days that are none', () => repair(lake, gateway.source, wrong('2020-08-17')), 'USAGE', /days of a reconciliation/],
  ['no events to enrich', () => enrich(lake, gateway.source, wrong({})), 'USAGE', /where to be a text, found nothing/],
  [
    'no request to enrich with',
    () => enrich(lake, gateway.source, { where: 'true', maxRequests: 0 }),
    'USAGE',
    /maxRequests .* found 0/,
  ],
  ['another unit', () => reconcile(lake, gateway.source, wrong({ by: 'hour' })), 'USAGE', /day or type, found "hour"/],
  ['no pipeline', () => runPipeline(lake, gateway.source, wrong({})), 'CONFIG_INVALID', /expected a pipeline/],
  ['an empty place', () => openLake(''), 'USAGE', /place to be a text, found an empty text/],
  ['no place', () => openLake(wrong(undefined)), 'USAGE', /place to be a text, found nothing/],
  ['a name for a dataset', () => openLake(join(directory, 'other'), wrong({ dataset: 'fim' })), 'USAGE', /dataset/],
  [
    'a subscription for all',
    () => openLake(join(directory, 'other'), { subscription: { name: 'all' } }),
    'USAGE',
    /subscription .*lower-case letters, .* found an object/,
  ],
  [
    'the name of a subscription alone',
    () => openLake(join(directory, 'other'), wrong({ subscription: 'acme' })),
    'USAGE',
    /found a text/,
  ],
  ['another writer', () => openLake(join(directory, 'other'), wrong({ writer: 'csv' })), 'USAGE', /writer .*"csv"/],
  ['no thread', () => openLake(join(directory, 'other'), { threads: 0 }), 'USAGE', /threads .* found 0/],
  ['no settings', () => connect(wrong(undefined)), 'USAGE', /object with options, found nothing/],
  [
    'no password',
    () => connect(wrong({ baseUrl: baseUrl(), username: 'a' })),
    'CREDENTIALS_MISSING',
    /password is empty/,
  ],
  [
    'an empty password',
    () => connect({ baseUrl: baseUrl(), username: 'a', password: '' }),
    'CREDENTIALS_MISSING',
    /empty/,
  ],
  ['no secret', () => connect(wrong({ baseUrl: baseUrl(), clientId: 'a' })), 'CREDENTIALS_MISSING', /secret is empty/],
  [
    'a dataset without API',
    () => connect(wrong({ dataset: QUALYS_FIM, access: 'x' })),
    'USAGE',
    /source of the dataset/,
  ],
  ['no statement', () => lake.query(''), 'USAGE', /sql to be a text/],
  ['a comment alone', () => lake.query('-- nothing\n').toArray(), 'QUERY_FAILED', /one statement, found none/],
  [
    'no target',
    () => lake.export('events', wrong({ format: 'csv' })),
    'USAGE',
    /expected to to be a text, found nothing/,
  ],
  ['another format', () => lake.export('events', wrong({ to: 'x', format: 'xlsx' })), 'USAGE', /ndjson, found "xlsx"/],
  ['another table format', () => lake.publish(wrong('hudi')), 'USAGE', /delta or iceberg or ducklake, found "hudi"/],
  ['no gate', () => lake.gate(wrong(undefined)), 'USAGE', /object with options/],
  ['a grace below 0', () => lake.vacuum({ graceDays: -1 }), 'USAGE', /graceDays .* found -1/],
  ['half a file', () => lake.compact({ minFiles: 1.5 }), 'USAGE', /minFiles .* found 1.5/],
  ['a path without text', () => lake.promote(wrong({ as: 'x' })), 'USAGE', /path to be a text, found nothing/],
  ['a type of no column', () => lake.promote({ path: 'a', type: wrong('double') }), 'USAGE', /found "double"/],
  ['a number as a column', () => lake.demote(wrong(7)), 'USAGE', /column to be a text, found 7/],
  ['a value to hunt', () => lake.hunt(wrong('evil.example')), 'USAGE', /a list of values, found a text/],
  ['the text of events', () => flatten(wrong('[]')), 'USAGE', /a list of events, found a text/],
  ['an event', () => flatten(wrong({ id: '1' })), 'USAGE', /a list of events, found an object/],
  ['no stream', () => iterated(flattenStream(wrong({}))), 'USAGE', /one after the other, found an object/],
  ['no room', () => iterated(events(gateway.source, { ...DAY, maxSpooledBytes: 0 })), 'USAGE', /maxSpooledBytes/],
  ['no definition', () => defineDataset(wrong(undefined)), 'CONFIG_INVALID', /expected an object/],
  [
    'nothing in it',
    () => defineDataset(wrong({})),
    'CONFIG_INVALID',
    /name: .*identity: .*times\.event: .*tables\.events\.columns/,
  ],
  ['paths that are none', () => field('a', 'text', wrong(null), 'a'), 'CONFIG_INVALID', /column "a" needs/],
];

test.each(BAD_CALLS)('%s', async (_name, call, code, message) => {
  const thrown = await (async () => call())().then(
    () => null,
    (error: unknown) => error,
  );
  expect(thrown).toBeInstanceOf(EdrlakeError);
  expect(thrown).toMatchObject({ code, message: expect.stringMatching(message), hint: expect.any(String) });
});

test('nothing was asked or written meanwhile', async () => {
  expect(gateway.simulator.calls.all()).toEqual([]);
  expect(await readdir(directory)).toEqual(['lake']);
  expect(await lake.version()).toMatchObject({ version: 0 });
});

test('a program that aborts for its own reason gets INTERRUPTED from every call', async () => {
  const mine = new Error('enough');
  const aborted = { signal: AbortSignal.abort(mine) };
  const interrupted = { code: 'INTERRUPTED', cause: mine, hint: expect.any(String) };
  await expect(backfill(lake, gateway.source, { ...DAY, ...aborted })).rejects.toMatchObject(interrupted);
  await expect(plan(gateway.source, { ...DAY, ...aborted })).rejects.toMatchObject(interrupted);
  await expect(iterated(events(gateway.source, { ...DAY, ...aborted }))).rejects.toMatchObject(interrupted);
  const controller = new AbortController();
  const { signal } = controller;
  const reading = (async () => {
    for await (const _ of events(gateway.source, { ...DAY, signal })) controller.abort(mine);
  })();
  await expect(reading).rejects.toMatchObject(interrupted);
  const own = new EdrlakeError('CLOCK_WRONG', 'as the program says');
  await expect(plan(gateway.source, { ...DAY, signal: AbortSignal.abort(own) })).rejects.toBe(own);
});

test('a lake that is closed does nothing more', async () => {
  const closed = await openLake(join(directory, 'closed'));
  await closed.close();
  const refused = { code: 'USAGE', message: expect.stringMatching(/is closed$/) };
  expect(() => closed.query('select 1')).toThrow(expect.objectContaining(refused));
  await expect(backfill(closed, gateway.source, DAY)).rejects.toMatchObject(refused);
  await expect(closed.coverage()).rejects.toMatchObject(refused);
  await expect(closed.compact()).rejects.toMatchObject(refused);
  await expect(closed.close()).resolves.toBeUndefined();
});

test('a source of a dataset that lacks a part is refused when it is opened', async () => {
  const doors = defineDataset({
    name: 'doors',
    identity: 'uuid',
    times: { event: 'opened', processed: 'received' },
    tables: { events: { columns: [field('door', 'text', 'door', 'its name')] } },
    source: () => wrong({ name: 'doors', pageSize: 0, count: async () => 0 }),
  });
  await expect(connect({ dataset: doors, access: null })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringMatching(/pageSize: .*maxResultWindow: .*page: /),
  });
});

test('a column of an unknown type is named, with all that is wrong', () => {
  const define = () =>
    defineDataset({
      name: 'doors',
      identity: 'uuid',
      times: wrong({ event: 'opened' }),
      tables: { events: { columns: [field('door', wrong('string'), 'door', 'its name')] } },
      source: () => wrong({}),
    });
  expect(define).toThrow(
    /times\.processed: expected a text; .*events\.columns\.door: expected a type of text, .*"string"/,
  );
});
