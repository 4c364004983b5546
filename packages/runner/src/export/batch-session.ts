import {
  type BatchFindings,
  dayOf,
  EdrlakeError,
  type FetchedWindow,
  FOREIGN_CUSTOMER,
  memoryReturner,
  sum,
} from '@edrlake/core';
import { dropStagedBatch, stageBatch, stageRows } from '@edrlake/flattener';
import type { CommitRequest, CommitResult } from '@edrlake/lake';
import type { RunContext } from '../run/run-context.ts';

/** A flattened batch that is not committed yet. Nothing of it survives the process; the spool does. */
export interface StagedRows {
  readonly findings: BatchFindings;
  /** See `Lake.commit`. */
  commit(request: Omit<CommitRequest, 'batch' | 'session'>): Promise<CommitResult>;
  /** Releases its memory. Call it once, also after a commit. */
  drop(): Promise<void>;
}

/** Where batches are flattened and committed, one after the other. */
export interface BatchSession {
  /** Flattens the spooled pages of some windows. @throws {EdrlakeError} `BODY_BROKEN`; the reason of an abort */
  stage(windows: readonly FetchedWindow[]): Promise<StagedRows>;
  /** Ends what it is doing, after an abort of the run. */
  interrupt(): void;
  close(): void;
}

/** Rows as objects take about five times the bytes of their pages. */
const MAX_ROW_BATCH_BYTES = 16 * 1024 * 1024;

/** Spooled bytes that are flattened and committed together. */
export function batchBytesOf({ lake, options }: Pick<RunContext, 'lake' | 'options'>): number {
  return lake.writer === 'duckdb' ? options.batchBytes : Math.min(options.batchBytes, MAX_ROW_BATCH_BYTES);
}

/**
 * Whether most events are of another customer: then the answers are, and storing each of them as a reject would only
 * cost requests.
 */
function isForeign({ windows }: BatchFindings): boolean {
  const foreign = sum(windows, ({ foreignCount = 0 }) => foreignCount);
  return foreign > 0 && foreign * 2 >= sum(windows, ({ recordCount }) => recordCount);
}

function foreignBatch({ windows, rejectReasons }: BatchFindings, customerId: string | null): EdrlakeError {
  const foreign = sum(windows, ({ foreignCount = 0 }) => foreignCount);
  const records = sum(windows, ({ recordCount }) => recordCount);
  const sample = rejectReasons.find(({ reason }) => reason === FOREIGN_CUSTOMER)?.sample ?? '';
  return new EdrlakeError(
    'CUSTOMER_FOREIGN',
    `${foreign} of ${records} events are of another customer than ${customerId}, such as ${sample}`,
    {
      context: { foreign, records, expected: customerId },
      hint: 'Nothing of this answer was stored. Check the account of the subscription, and its lake.',
    },
  );
}

/** Opens a session of the lake's writer. */
export function openBatchSession(run: RunContext): Promise<BatchSession> {
  return run.lake.writer === 'duckdb' ? duckDbSession(run) : Promise.resolve(rowSession(run));
}

/**
 * Once the process has more memory than this after a batch, it gives back what DuckDB has freed: the next batch would
 * need more on top of it, and the export more than 512 MiB. After each batch it would cost 7 % of the CPU time.
 */
const RETURNING_BYTES = 384 * 1024 * 1024;

async function duckDbSession({ lake, startedAtMs }: RunContext): Promise<BatchSession> {
  const session = await lake.openCommitSession();
  const { connection } = session;
  const options = { dataset: lake.dataset, prefix: 'batch', ingestDay: dayOf(startedAtMs) };
  const returnMemory = await memoryReturner(connection);
  return {
    stage: async (windows) => {
      const customerId = lake.expectedCustomer();
      const batch = await stageBatch(connection, windows, { ...options, customerId });
      if (isForeign(batch)) {
        await dropStagedBatch(connection, batch);
        throw foreignBatch(batch, customerId);
      }
      return {
        findings: batch,
        commit: (request) => lake.commit({ ...request, batch, session }),
        drop: async () => {
          await dropStagedBatch(connection, batch);
          if (process.memoryUsage.rss() > RETURNING_BYTES) await returnMemory();
        },
      };
    },
    interrupt: () => connection.interrupt(),
    close: () => session.close(),
  };
}

/** Its work watches the signal itself. */
function rowSession({ lake, startedAtMs, services: { signal } }: RunContext): BatchSession {
  const options = { dataset: lake.dataset, ingestDay: dayOf(startedAtMs), signal };
  return {
    stage: async (windows) => {
      const customerId = lake.expectedCustomer();
      const batch = await stageRows(windows, { ...options, customerId });
      if (isForeign(batch)) throw foreignBatch(batch, customerId);
      return { findings: batch, commit: (request) => lake.commit({ ...request, batch, signal }), drop: async () => {} };
    },
    interrupt: () => {},
    close: () => {},
  };
}
