import type { Dataset } from '@edrlake/core';
import { readConfigureGlobal } from 'fast-check';
import { afterAll, beforeAll, test } from 'vitest';
import { type Bench, openBench } from '../../packages/flattener/test/staging.ts';
import { checkDocuments } from './dataset-documents.ts';

/** `.ci/run` tries a part of them, because all take four minutes. */
const DOCUMENTS = Number(process.env.EDRLAKE_TEST_DOCUMENTS ?? 100_000);

/** Other documents in each run, as of all properties among the long tests, unless EDRLAKE_PROPERTY_SEED is given. */
const SEED = readConfigureGlobal().seed ?? Math.floor(Math.random() * 2 ** 31);

/** One file a dataset, so that they run beside each other. */
export function testHundredThousand(dataset: Dataset): void {
  let bench: Bench;
  beforeAll(async () => {
    bench = await openBench();
  });
  afterAll(() => bench.close());

  // Staging costs as much for few documents as for many, so the batches are large.
  test(
    `a scanned page and Arrow flatten ${DOCUMENTS} documents of ${dataset.name} to the same rows`,
    () => checkDocuments(bench, dataset, { documents: DOCUMENTS, batchOf: 10_000, seed: SEED }),
    1_800_000,
  );
}
