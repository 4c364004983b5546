import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createSlots } from '../src/workflow/slots.ts';

it('work begins in the order of the calls, as much at once as there are slots, also behind work that fails', async () => {
  const inSlot = createSlots(2);
  const begun: number[] = [];
  const endOf = new Map<number, (isGood: boolean) => void>();
  const works = [0, 1, 2, 3, 4].map((n) =>
    inSlot(
      () =>
        new Promise<number>((resolve, reject) => {
          begun.push(n);
          endOf.set(n, (isGood) => (isGood ? resolve(n) : reject(new Error(`work ${n}`))));
        }),
    ),
  );
  const ended = Promise.allSettled(works);
  await nextTurn();
  expect(begun).toEqual([0, 1]);
  endOf.get(1)?.(false);
  await nextTurn();
  expect(begun).toEqual([0, 1, 2]);
  for (const n of [0, 2]) endOf.get(n)?.(true);
  await nextTurn();
  expect(begun).toEqual([0, 1, 2, 3, 4]);
  for (const n of [3, 4]) endOf.get(n)?.(true);
  expect((await ended).map(({ status }) => status)).toEqual([
    'fulfilled',
    'rejected',
    'fulfilled',
    'fulfilled',
    'fulfilled',
  ]);
});
