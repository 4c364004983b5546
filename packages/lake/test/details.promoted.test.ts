import { expect, test } from 'vitest';
import { ask, newDirectory, openSmall } from './opened-lakes.ts';
import { DAY_1, deliver, HOUR } from './small-lake.ts';

const run = { runId: 'test', signal: new AbortController().signal };
const details = { runId: 'details', atMs: DAY_1 };
/** What list and details have, and what the event must have then, beside when its details were asked for. */
const CASES = [
  ['{"file":{"signer":7}}', '{"file":{"signer":"a"}}', '{"file":{"signer":7}}', '{"extra.file.signer":"a"}'],
  ['{"file":{"signer":"a"}}', '{"file":{"signer":7}}', '{"file":{"signer":"a"}}', '{"extra.file.signer":7}'],
  ['{"file":5}', '{"file":{"signer":"a"}}', '{"file":5}', '{"extra.file":{"signer":"a"}}'],
  ['{"file":{"signer":"a"}}', '{"file":5}', '{"file":{"signer":"a"}}', '{"extra.file":5}'],
  ['{"file":{"signer":"é"}}', '{"file":{"signer":"\\u00e9","x":1}}', '{"file":{"signer":"é","x":1}}', undefined],
  ['{"x":1}', '{"file":{"signer":"a"}}', '{"x":1,"file":{"signer":"a"}}', undefined],
  // A name that comes twice, and names with dots beside nested ones.
  ['{"x":1,"x":2}', '{"x":3}', '{"x":1,"x":2}', '{"extra.x":3}'],
  ['{"x.y":1,"x":{"y":1}}', '{"x.y":2,"x":{"y":3}}', null, '{"extra.\\"x.y\\"":2,"extra.x.y":3}'],
] as const;
const EVENTS = CASES.map(([extra], n) => ({ id: `E${n}`, timeMs: DAY_1 + n * HOUR, score: n, issuers: [], extra }));

test('details of a lake with a promoted column leave each path one value of its type', async () => {
  const lake = await openSmall(await newDirectory());
  await deliver(lake, EVENTS);
  await lake.promote({ path: 'file.signer', type: 'text' }, run);
  const asked = CASES.map(([, extra], n) => ({
    ...{ eventId: `E${n}`, day: '2020-08-17', rows: { events: [{ event_time: DAY_1 + n * HOUR, extra }] } },
  }));
  expect(await lake.addDetails(asked, details)).toMatchObject({ events: CASES.length, skipped: 0 });
  const signers = 'SELECT file_signer FROM events ORDER BY event_id';
  expect((await ask(lake, signers)).flat()).toEqual([null, 'a', null, 'a', 'é', 'a', null, null]);
  await lake.demote({ column: 'file_signer' }, run);
  const rows = await ask(lake, 'SELECT extra::VARCHAR FROM events ORDER BY event_id');
  for (const [n, [extra]] of rows.entries()) {
    const { edrlake, ...rest } = JSON.parse(String(extra));
    const [list, , stored, otherwise] = CASES[n] ?? [];
    expect(rest).toEqual(JSON.parse(stored ?? list ?? ''));
    expect(edrlake.otherwise).toEqual(otherwise === undefined ? undefined : JSON.parse(otherwise));
  }
});
