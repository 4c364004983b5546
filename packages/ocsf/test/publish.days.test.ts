import { cp, mkdtemp, readdir, readFile, rm, unlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { quoteText, rowsOf, systemClock, systemProcesses } from '@edrlake/core';
import { QUALYS_EDR, QUALYS_FIM } from '@edrlake/datasets';
import { type Lake, openLake } from '@edrlake/lake';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { type PublishOcsfOptions, publishOcsf } from '../src/index.ts';
import { commitRows, drawing, type Rows, randomRows } from './random-lake.ts';

/** Each publication plans a few long statements. */
const LONG_MS = 300_000;
vi.setConfig({ testTimeout: LONG_MS, hookTimeout: LONG_MS });

const [FIRST, SECOND] = ['2020-08-17', '2020-08-18'];

let directory: string;
let lake: Lake;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-ocsf-'));
  const options = { dataset: QUALYS_EDR, clock: systemClock, emit: () => {}, create: true, readOnly: false };
  lake = await openLake({ ...options, directory: join(directory, 'lake') });
  await commitRows(lake, events(30, { day: FIRST }), directory);
  await commitRows(lake, events(20, { day: SECOND, first: 1_000 }), directory);
});
afterAll(async () => {
  await lake.close();
  await rm(directory, { recursive: true });
});

/** Events of two classes of one customer, so that a day has few files. */
function events(count: number, place: { readonly day: string; readonly first?: number }): Rows {
  const rows = randomRows(QUALYS_EDR, count, drawing(count), place);
  return new Map(
    [...rows].map(([name, ofTable]) => {
      if (name !== 'events') return [name, ofTable];
      const plain = ofTable.map((row, nth) => ({
        ...row,
        event_type: nth % 2 === 0 ? 'FILE' : 'AMSI',
        file_name: 'a.dll',
        agent_id: 'agent',
        customer_id: 'c-1',
      }));
      return [name, plain];
    }),
  );
}

function publish(folder: string, more: Partial<PublishOcsfOptions> = {}) {
  return publishOcsf(lake, {
    directory: join(directory, folder),
    version: '1.8.0',
    layout: 'security-lake',
    region: 'eu-central-1',
    accountId: null,
    range: null,
    dryRun: false,
    signal: new AbortController().signal,
    ...more,
  });
}

/** All data files of a target, without its state. */
async function filesIn(folder: string): Promise<string[]> {
  const names = await readdir(join(directory, folder), { recursive: true });
  return names.filter((name) => name.endsWith('.parquet') && !name.startsWith('_edrlake')).sort();
}

/** What a reader of the folder sees: how often each event of the day is there, findings apart. */
async function timesSeen(folder: string, day: string): Promise<Map<string, number>> {
  const files = (await filesIn(folder)).filter(
    (name) => name.includes(`eventDay=${day.replaceAll('-', '')}`) && !name.includes('finding'),
  );
  const seen = new Map<string, number>();
  const connection = await lake.connect();
  for (const file of files) {
    const rows = await rowsOf(
      connection,
      `SELECT metadata.uid AS uid FROM read_parquet(${quoteText(join(directory, folder, file))}, hive_partitioning = false)`,
    );
    for (const { uid } of rows) seen.set(String(uid), (seen.get(String(uid)) ?? 0) + 1);
  }
  return seen;
}

async function idsOf(day: string): Promise<string[]> {
  const result = await lake.query(`SELECT event_id FROM events WHERE event_date = DATE '${day}' ORDER BY event_id`);
  const ids: string[] = [];
  for await (const chunk of result.rows) ids.push(...chunk.map(([id]) => String(id)));
  return ids;
}

const once = (ids: readonly string[]) => new Map(ids.map((id) => [id, 1]));
const sorted = (seen: ReadonlyMap<string, number>) => new Map([...seen].sort(([a], [b]) => (a < b ? -1 : 1)));

test('a day is published once, and again when a commit has changed its rows', async () => {
  expect(await publish('follow')).toMatchObject({
    days: { published: 2, unchanged: 0 },
    unclassified: { AMSI: 25 },
    rejected: 0,
  });
  const before = await filesIn('follow');
  expect(before[0]).toMatch(
    /^ext\/qualys_edr_base_event\/region=eu-central-1\/accountId=external_c-1\/eventDay=20200817\/0000-2400-\w+\.parquet$/,
  );
  expect(await publish('follow')).toMatchObject({ days: { published: 0, unchanged: 2 } });
  expect(await filesIn('follow')).toEqual(before);

  await commitRows(lake, events(1, { day: FIRST, first: 500 }), directory);
  expect(await publish('follow')).toMatchObject({ days: { published: 1, unchanged: 1 } });
  const after = await filesIn('follow');
  const isOfSecond = (name: string) => name.includes('eventDay=20200818');
  expect(after.filter(isOfSecond)).toEqual(before.filter(isOfSecond));
  expect(after.filter((name) => !isOfSecond(name))).toHaveLength(before.filter((name) => !isOfSecond(name)).length);
  expect(after.some((name) => before.includes(name) && !isOfSecond(name))).toBe(false);
  expect(sorted(await timesSeen('follow', FIRST))).toEqual(once(await idsOf(FIRST)));

  await lake.compact({}, { runId: 'compact', signal: new AbortController().signal });
  expect(await publish('follow')).toMatchObject({ days: { published: 0, unchanged: 2 } });
  expect(await filesIn('follow')).toEqual(after);
});

test('ended at any step, every event is seen once, and the next run goes on', async () => {
  await publish('crash');
  await commitRows(lake, events(1, { day: SECOND, first: 2_000 }), directory);
  const before = once(await idsOf(SECOND));
  before.delete((await idsOf(SECOND)).find((id) => id.includes('2000')) ?? '');
  const steps: string[] = [];
  for (let nth = 1; steps.at(-1) !== 'completed'; nth += 1) {
    const copy = `crash-${nth}`;
    await cp(join(directory, 'crash'), join(directory, copy), { recursive: true });
    let count = 0;
    const onStep = (step: string) => {
      count += 1;
      if (count < nth) return;
      steps.push(step);
      throw new Error('killed');
    };
    await expect(publish(copy, { onStep })).rejects.toThrow('killed');
    expect([before, once(await idsOf(SECOND))]).toContainEqual(sorted(await timesSeen(copy, SECOND)));
    await publish(copy);
    expect(sorted(await timesSeen(copy, SECOND))).toEqual(once(await idsOf(SECOND)));
    expect(await readdir(join(directory, copy, '_edrlake', 'work'))).toEqual([]);
    expect(await publish(copy)).toMatchObject({ days: { published: 0, unchanged: 2 } });
  }
  expect(new Set(steps)).toEqual(new Set(['staged', 'intended', 'replaced', 'renamed', 'completed']));
});

test('files that are gone are published again', async () => {
  await publish('healed');
  const before = await filesIn('healed');
  await unlink(join(directory, 'healed', before[0] ?? ''));
  expect(await publish('healed')).toMatchObject({ days: { published: 1, unchanged: 1 } });
  expect(await filesIn('healed')).toHaveLength(before.length);
});

test('each file says its loss and is sorted, compressed and divided as Security Lake asks for', async () => {
  await publish('shape');
  const connection = await lake.connect();
  for (const file of await filesIn('shape')) {
    const path = quoteText(join(directory, 'shape', file));
    const pairs = await rowsOf(
      connection,
      `SELECT key::VARCHAR AS key, value::VARCHAR AS value FROM parquet_kv_metadata(${path})`,
    );
    const metadata = new Map(pairs.map(({ key, value }) => [key, String(value)]));
    const [fields, typed] = ['source_fields', 'typed_fields'].map((name) =>
      Number(metadata.get(`edrlake.ocsf.${name}`)),
    );
    const isFinding = file.includes('finding');
    expect(metadata.get('edrlake.ocsf.typed_share')).toBe(isFinding ? '' : ((typed ?? 0) / (fields ?? 0)).toFixed(4));
    const [shape] = await rowsOf(
      connection,
      `SELECT count(DISTINCT compression)::INTEGER AS codecs, any_value(compression) AS codec, max(total_uncompressed_size)::INTEGER AS largest FROM parquet_metadata(${path})`,
    );
    expect(shape).toMatchObject({ codecs: 1, codec: 'ZSTD' });
    expect(shape?.largest).toBeLessThanOrEqual(1024 * 1024);
    const times = await rowsOf(connection, `SELECT time FROM read_parquet(${path}, hive_partitioning = false)`);
    const values = times.map(({ time }) => Number(time));
    expect(values).toEqual(values.toSorted((a, b) => a - b));
  }
});

test('a range, an account, a dry run', async () => {
  const day = Date.parse(`${FIRST}T00:00:00Z`);
  const range = { startMs: day, endMs: day + 86_400_000 };
  const dry = await publish('some', { range, dryRun: true });
  expect(dry).toMatchObject({ dryRun: true, days: { published: 1, unchanged: 0 } });
  expect(await filesIn('some').catch((thrown) => thrown.code)).toBe('ENOENT');
  const done = await publish('some', { range, accountId: '123456789012', layout: 'plain' });
  expect(done.days).toEqual({ published: 1, unchanged: 0 });
  expect(done.classes.map(({ uid, events: n }) => [uid, n])).toEqual(dry.classes.map(({ uid, events: n }) => [uid, n]));
  for (const file of await filesIn('some')) expect(file).toContain('/accountId=123456789012/eventDay=20200817/');
});

test('what does not belong together is refused', async () => {
  await publish('one');
  await expect(publish('one', { version: '1.3.0' })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', exitCode: 2 });
  await expect(publish('one', { region: 'us-east-1' })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  await writeFile(join(directory, 'one', '_edrlake', 'publication.json'), '{}');
  await expect(publish('one')).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  await rm(join(directory, 'one', '_edrlake'), { recursive: true });
  await expect(publish('one')).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  const other = { ...lake, dataset: QUALYS_FIM };
  await expect(publishOcsf(other, { ...OPTIONS, directory })).rejects.toMatchObject({ code: 'USAGE' });
});

test('a lake without events can be published before its first commit', async () => {
  const options = { dataset: QUALYS_EDR, clock: systemClock, emit: () => {}, create: true, readOnly: false };
  const empty = await openLake({ ...options, directory: join(directory, 'empty') });
  const target = { ...OPTIONS, directory: join(directory, 'from-empty') };
  try {
    expect(await publishOcsf(empty, target)).toMatchObject({ days: { published: 0, unchanged: 0 }, classes: [] });
    await commitRows(empty, events(2, { day: FIRST }), directory);
    expect(await publishOcsf(empty, target)).toMatchObject({ days: { published: 1, unchanged: 0 } });
  } finally {
    await empty.close();
  }
});

test('an interrupt ends it, and the next run goes on', async () => {
  const abort = new AbortController();
  const onStep = () => abort.abort();
  await expect(publish('stopped', { onStep, signal: abort.signal })).rejects.toThrow();
  expect(await publish('stopped')).toMatchObject({ days: { published: 1, unchanged: 1 } });
});

test('one process at a time, and a dead one holds nothing', async () => {
  const running = publish('locked', {
    onStep: (step) => {
      if (step === 'staged') started();
    },
  });
  let started = () => {};
  await new Promise<void>((resolve) => {
    started = resolve;
  });
  await expect(publish('locked')).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  await running;
  const owner = join(directory, 'locked', '_edrlake', 'owner.1.json');
  await expect(readFile(owner)).rejects.toMatchObject({ code: 'ENOENT' });
  const dead = { ...systemProcesses.current(), pid: 2 ** 22 + 1 };
  await writeFile(owner, JSON.stringify(dead));
  expect(await publish('locked')).toMatchObject({ days: { published: 0, unchanged: 2 } });
});

const OPTIONS: PublishOcsfOptions = {
  directory: '',
  version: '1.8.0',
  layout: 'plain',
  region: '',
  accountId: null,
  range: null,
  dryRun: false,
  signal: new AbortController().signal,
};
