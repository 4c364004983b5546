import { afterAll, expect, it } from 'vitest';
import { objectsOn } from './object-address.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { startS3Server } from './s3-server.ts';
import { DAY_1, deliver, HOUR, SMALL_DATASET } from './small-lake.ts';

const server = await startS3Server();
afterAll(() => server.close());

it('an event of a lake in an object store is found from a machine that has no copy of it', async () => {
  const writer = await openSmall(await newDirectory(), { objects: objectsOn(server) });
  await deliver(writer, [{ id: 'a', timeMs: DAY_1, score: 3, issuers: ['x', 'y'] }]);
  await deliver(writer, [{ id: 'a', timeMs: DAY_1 + HOUR, processedMs: DAY_1 + HOUR, score: 4, issuers: ['x'] }]);
  await writer.close();
  const reading = { objects: objectsOn(server), create: false, readOnly: true } as const;
  const reader = await openSmall(await newDirectory(), reading);
  const { tables, writes, lostFiles } = await reader.findEvent('a');
  expect(tables.map(({ table, rows }) => [table, rows.map(({ values }) => values.score ?? values.issuer)])).toEqual([
    ['events', [4]],
    ['certificates', ['x']],
  ]);
  expect([writes.map(({ kind }) => kind), lostFiles]).toEqual([['stored', 'replaced'], []]);
  expect((await reader.findEvent('b')).tables).toEqual([]);
});

it('a view over the events brings their files', async () => {
  const names = { id: 'score', name: 'event_type' } as const;
  const processes = { host: 'agent_id', subject: { ...names, parent: 'score' }, actor: names };
  const reading = { objects: objectsOn(server), create: false, readOnly: true } as const;
  const reader = await openSmall(await newDirectory(), { ...reading, dataset: { ...SMALL_DATASET, processes } });
  expect(await ask(reader, 'SELECT kind, parent_id, parent_event_id FROM process_edges ORDER BY kind')).toEqual([
    ['acted', 4, 'a'],
    ['started', 4, 'a'],
  ]);
});
