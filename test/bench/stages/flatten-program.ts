import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FetchedWindow } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { dropStagedBatch, stageBatch } from '@edrlake/flattener';
import { openEdrLake } from '@edrlake/runner';
import { writeStagedRows } from '@edrlake/writers';
import { type OwnTime, report, timed } from './own-time.ts';
import { readOrder, SERVICES, type StageOrder } from './stage-order.ts';
import { withStatementTimes } from './statement-times.ts';

// Flattens spooled windows and writes their Parquet files, batch by batch, and commits nothing.

/** The options of this program. */
interface FlattenOrder extends StageOrder {
  /** The windows that were spooled before. */
  readonly windowsFile: string;
  readonly batchBytes: number;
}

const order = readOrder<FlattenOrder>();
const windows = JSON.parse(await readFile(order.windowsFile, 'utf8')) as FetchedWindow[];
const lake = await openEdrLake(join(order.folder, 'lake'), { create: true, readOnly: false }, SERVICES);
// As exports have it: one thread for a batch.
const session = await lake.openCommitSession();
const { connection, times: statementTimes } = withStatementTimes(session.connection);
const fieldIds = Object.fromEntries(
  QUALYS_EDR.tables.map(({ name, columns }) => [name, Object.fromEntries(columns.map((one, nth) => [one.name, nth]))]),
);
const staging: OwnTime[] = [];
const writing: OwnTime[] = [];
const whole = await timed(async () => {
  for (const [batchNo, batch] of batchesOf(windows, order.batchBytes).entries()) {
    const staged = await timed(() =>
      stageBatch(connection, batch, { dataset: QUALYS_EDR, prefix: 'bench', ingestDay: '2026-01-01' }),
    );
    staging.push(staged);
    const target = { directory: order.folder, fileStem: `batch-${batchNo}`, exceptTable: null, fieldIds };
    writing.push(await timed(() => writeStagedRows(connection, QUALYS_EDR.tables, staged.value, target)));
    await dropStagedBatch(connection, staged.value);
  }
});
session.close();
await lake.close();
const sum = (times: readonly OwnTime[], value: (time: OwnTime) => number) =>
  times.reduce((total, time) => total + value(time), 0);
const total = (times: readonly OwnTime[]): OwnTime => ({
  seconds: sum(times, (time) => time.seconds),
  cpuSeconds: sum(times, (time) => time.cpuSeconds),
});
report({
  seconds: whole.seconds,
  cpuSeconds: whole.cpuSeconds,
  batches: staging.length,
  stage: total(staging),
  write: total(writing),
  statements: statementTimes(),
});

/** Batches as the export flow forms them. */
function batchesOf(all: readonly FetchedWindow[], batchBytes: number): FetchedWindow[][] {
  const batches: FetchedWindow[][] = [];
  let bytes = Number.POSITIVE_INFINITY;
  for (const window of all) {
    if (bytes + window.bodyBytes > batchBytes) {
      batches.push([]);
      bytes = 0;
    }
    batches.at(-1)?.push(window);
    bytes += window.bodyBytes;
  }
  return batches;
}
