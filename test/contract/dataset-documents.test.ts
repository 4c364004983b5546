import { QUALYS_EDR, QUALYS_FIM } from '@edrlake/datasets';
import { afterAll, beforeAll, test } from 'vitest';
import { type Bench, openBench } from '../../packages/flattener/test/staging.ts';
import { checkDocuments } from './dataset-documents.ts';

let bench: Bench;
beforeAll(async () => {
  bench = await openBench();
});
afterAll(() => bench.close());

test.each([QUALYS_EDR, QUALYS_FIM])(
  'a scanned page and Arrow flatten documents of $name to the same rows',
  (dataset) => checkDocuments(bench, dataset, { documents: 500, batchOf: 500, seed: 11 }),
  240_000,
);
