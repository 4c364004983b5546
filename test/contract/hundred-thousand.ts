import type { Dataset } from '@edrlake/core';
import { afterAll, beforeAll, test } from 'vitest';
import { type Bench, openBench } from '../../packages/flattener/test/staging.ts';
import { checkDocuments } from './dataset-documents.ts';

/** `.ci/run` tries a part of them, because all take four minutes. */
const DOCUMENTS = Number(process.env.EDRLAKE_TEST_DOCUMENTS ?? 100_000);

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
    () => checkDocuments(bench, dataset, { documents: DOCUMENTS, batchOf: 10_000, seed: 20_260 }),
    1_800_000,
  );
}
