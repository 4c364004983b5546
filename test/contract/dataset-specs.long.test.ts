import { afterAll, beforeAll, test } from 'vitest';
import { type Bench, openBench } from '../../packages/flattener/test/staging.ts';
import { checkRandomSpecs } from './dataset-specs.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

test(
  'a scanned page and Arrow flatten records of two hundred datasets to the same rows',
  () => checkRandomSpecs(bench, 200, 100),
  600_000,
);
