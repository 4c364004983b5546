import { readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { describe, expect, test } from 'vitest';
import type { LakeOptions, LakeWriter, WantedOwner } from '../src/index.ts';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, SMALL_DATASET } from './small-lake.ts';

/** The host is the customer: the small tables have no other column for it. */
const dataset = { ...SMALL_DATASET, customer: 'agent_id' };

const ownerOf = (subscription: string, more: Partial<WantedOwner> = {}): WantedOwner => {
  return { subscription, customerId: null, tenant: () => null, ...more };
};

const event = (id: string, agent: string) => ({ id, timeMs: DAY_1, agent });

describe.each<LakeWriter>(['duckdb', 'parquetjs'])('the owner of a lake (%s)', (writer) => {
  const open = (directory: string, owner?: WantedOwner, more: Partial<LakeOptions> = {}) =>
    openSmall(directory, { dataset, writer, ...(owner && { owner }), ...more });

  test('is recorded where it is made, and another subscription is refused, for reading too', async () => {
    const directory = await newDirectory();
    await (await open(directory, ownerOf('acme'))).close();
    expect(JSON.parse(await readFile(join(directory, '_lake.json'), 'utf8'))).toMatchObject({ subscription: 'acme' });
    for (const more of [{}, { readOnly: true, create: false }]) {
      await expect(open(directory, ownerOf('globex'), more)).rejects.toMatchObject({
        code: 'LAKE_OTHER_SUBSCRIPTION',
        exitCode: 2,
      });
    }
    await (await open(directory, ownerOf('acme'))).close();
    await (await open(directory)).close();
  });

  test('is the customer of the first events; a batch with an event of another one is not stored', async () => {
    const directory = await newDirectory();
    const lake = await open(directory, ownerOf('acme'));
    expect(lake.expectedCustomer()).toBeNull();
    await deliver(lake, [event('a', 'ACME'), event('b', 'acme')].slice(0, 1));
    expect(lake.expectedCustomer()).toBe('ACME');
    // Letters of a UUID may come in either case.
    await deliver(lake, [event('b', 'acme')]);
    await expect(deliver(lake, [event('c', 'ACME'), event('d', 'globex')])).rejects.toMatchObject({
      code: 'CUSTOMER_FOREIGN',
      exitCode: 4,
    });
    await lake.close();
    // Also for a run without a subscription, and after the log was read again.
    const later = await open(directory);
    expect(later.expectedCustomer()).toBe('ACME');
    await expect(deliver(later, [event('d', 'globex')])).rejects.toMatchObject({ code: 'CUSTOMER_FOREIGN' });
    await later.close();
    const reader = await openSmall(directory, { dataset });
    expect(await ask(reader, 'SELECT event_id FROM events ORDER BY ALL')).toEqual([['a'], ['b']]);
  });

  test('is not two customers of one first batch, nor one that the configuration denies', async () => {
    const lake = await open(await newDirectory(), ownerOf('acme'));
    await expect(deliver(lake, [event('a', 'acme'), event('b', 'globex')])).rejects.toMatchObject({
      code: 'CUSTOMER_FOREIGN',
    });
    const declared = await open(await newDirectory(), ownerOf('acme', { customerId: 'acme' }));
    await expect(deliver(declared, [event('b', 'globex')])).rejects.toMatchObject({ code: 'CUSTOMER_FOREIGN' });
    await deliver(declared, [event('a', 'acme')]);
    await declared.close();
    const other = ownerOf('acme', { customerId: 'globex' });
    await expect(open(declared.directory, other)).rejects.toMatchObject({ code: 'LAKE_OTHER_SUBSCRIPTION' });
  });

  test('of a lake of before is taken only where its events are of the same customer', async () => {
    const [same, mixed] = [await newDirectory(), await newDirectory()];
    for (const [directory, agent] of [
      [same, 'acme'],
      [mixed, 'globex'],
    ] as const) {
      const before = await open(directory);
      await deliver(before, [event('a', agent)]);
      await before.close();
    }
    const taken = await open(same, ownerOf('acme'));
    await deliver(taken, [event('b', 'acme')]);
    await expect(open(same, ownerOf('globex'))).rejects.toMatchObject({ code: 'LAKE_OTHER_SUBSCRIPTION' });
    const refused = await open(mixed, ownerOf('acme'));
    await expect(deliver(refused, [event('b', 'acme')])).rejects.toMatchObject({ code: 'CUSTOMER_FOREIGN' });
  });

  test('of two that opened it at once is the one that commits first, and the other is refused', async () => {
    const directory = await newDirectory();
    // Made for no subscription, so that both may open it.
    await (await open(directory)).close();
    const [acme, globex] = [await open(directory, ownerOf('acme')), await open(directory, ownerOf('globex'))];
    await deliver(acme, [event('a', 'acme')]);
    await expect(deliver(globex, [event('g', 'globex')])).rejects.toMatchObject({ code: 'LAKE_OTHER_SUBSCRIPTION' });
    await Promise.all([acme.close(), globex.close()]);
    const reader = await openSmall(directory, { dataset });
    expect(await ask(reader, 'SELECT count(DISTINCT agent_id)::INTEGER FROM events')).toEqual([[1]]);
  });

  test('keeps an account of another tenant out, where logins say theirs', async () => {
    const directory = await newDirectory();
    const lake = await open(directory, ownerOf('acme', { tenant: () => 'T1' }));
    await deliver(lake, [event('a', 'acme')]);
    lake.refuseTenant('t1');
    lake.refuseTenant(null);
    expect(() => lake.refuseTenant('T2')).toThrow(expect.objectContaining({ code: 'CUSTOMER_FOREIGN' }));
    const swapped = await open(directory, ownerOf('acme', { tenant: () => 'T2' }));
    await expect(deliver(swapped, [event('b', 'acme')])).rejects.toMatchObject({ code: 'CUSTOMER_FOREIGN' });
  });
});

test('the owner is in a checkpoint, so that the entries before it may be vacuumed', async () => {
  const directory = await newDirectory();
  const lake = await openSmall(directory, { dataset, writer: 'parquetjs', owner: ownerOf('acme') });
  for (let n = 0; n < 17; n += 1) await deliver(lake, [event(`e${n}`, 'acme')]);
  await lake.close();
  const names = await readdir(join(directory, '_log'));
  const checkpoint = names.find((name) => name.includes('checkpoint')) ?? '';
  for (const name of names.filter((each) => each < checkpoint)) await rm(join(directory, '_log', name));
  await writeFile(join(directory, '_lake.json'), '{"format":2}');
  await expect(openSmall(directory, { dataset, owner: ownerOf('globex') })).rejects.toMatchObject({
    code: 'LAKE_OTHER_SUBSCRIPTION',
  });
});
