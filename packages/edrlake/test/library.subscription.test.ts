import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { backfill, openLake, reconcile } from '../src/index.ts';
import { startTestGateway, type TestGateway } from '../src/testing.ts';

const DAYS = { from: '2020-08-17', to: '2020-08-18' };
const ACME = '11111111-aaaa-4bbb-8ccc-000000000001';
const GLOBEX = '22222222-aaaa-4bbb-8ccc-000000000002';

let directory: string;
let acme: TestGateway;
let globex: TestGateway;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-subscription-'));
  acme = await startTestGateway({ ...DAYS, events: 100, customerId: ACME, tokenShape: 'jwt' });
  globex = await startTestGateway({ ...DAYS, events: 80, customerId: GLOBEX, tokenShape: 'jwt', seed: 2 });
});
afterEach(async () => {
  await acme.close();
  await globex.close();
  await rm(directory, { recursive: true, force: true });
});

test('a lake is opened for its subscription alone, and refuses the account of another', async () => {
  const place = join(directory, 'acme');
  {
    await using lake = await openLake(place, { subscription: { name: 'acme' } });
    expect(await backfill(lake, acme.source, DAYS)).toMatchObject({ outcome: 'done', events: { new: 100 } });
    await expect(backfill(lake, globex.source, { ...DAYS, force: true })).rejects.toMatchObject({
      code: 'CUSTOMER_FOREIGN',
    });
    expect(await lake.version()).toMatchObject({ version: 1 });
  }
  expect(globex.simulator.calls.dataTotal, 'nothing was counted or fetched').toBe(0);
  expect(JSON.parse(await readFile(join(place, '_lake.json'), 'utf8'))).toMatchObject({ subscription: 'acme' });
  await expect(openLake(place, { subscription: { name: 'globex' } })).rejects.toMatchObject({
    code: 'LAKE_OTHER_SUBSCRIPTION',
  });
  await expect(openLake(place, { subscription: { name: 'acme', customerId: GLOBEX } })).rejects.toMatchObject({
    code: 'LAKE_OTHER_SUBSCRIPTION',
  });
});

test('an account that has logged in before is compared too, also without a subscription and for reading', async () => {
  const place = join(directory, 'acme');
  {
    await using lake = await openLake(place, { subscription: { name: 'acme', customerId: ACME } });
    await backfill(lake, acme.source, DAYS);
    await using other = await openLake(join(directory, 'globex'), { subscription: { name: 'globex' } });
    await backfill(other, globex.source, DAYS);
  }
  const before = globex.simulator.calls.dataTotal;
  const foreign = { code: 'CUSTOMER_FOREIGN', hint: expect.any(String) };
  {
    await using lake = await openLake(place);
    await expect(backfill(lake, globex.source, { ...DAYS, force: true })).rejects.toMatchObject(foreign);
  }
  await using lake = await openLake(place, { readOnly: true });
  await expect(reconcile(lake, globex.source, DAYS)).rejects.toMatchObject(foreign);
  expect(globex.simulator.calls.dataTotal).toBe(before);
  expect(await reconcile(lake, acme.source, DAYS)).toMatchObject({ outcome: 'match' });
});
