import type { TimeAxis, TimeRange } from '@edrlake/core';
import type { CommitRequest } from '../commit/commit.ts';
import { duckDbEngine } from '../commit/duckdb-engine.ts';
import type { CommitEngine } from '../commit/engine.ts';
import { type CommitContext, type CommitTools, withConnection } from '../log/commit-context.ts';
import type { LoggedFile } from '../log/lake-state.ts';
import { REJECTS } from '../storage/layout.ts';
import { countAnswers, countRecords } from '../verify/count-rows.ts';
import { readNewestEventMs } from '../verify/newest-event.ts';
import { type RejectReason, rejectReasons } from '../verify/reject-reasons.ts';
import type { RowAnswer, RowQuestion } from '../verify/tally-days.ts';

/**
 * `duckdb`, or `parquetjs`: TypeScript alone, without native code. Then commits, coverage, counts and lost files need
 * no DuckDB; `lake.duckdb` is removed where it no longer shows the newest version, and everything else starts DuckDB.
 */
export type LakeWriter = 'duckdb' | 'parquetjs';

/** What an open lake computes with, in one of two ways. */
export interface ComputeEngine {
  /** Of a commit with this batch. */
  engineFor(request: Pick<CommitRequest, 'batch' | 'session' | 'signal'>): Promise<CommitEngine>;
  countAnswers(questions: readonly RowQuestion[]): Promise<RowAnswer[]>;
  countRecords(ranges: readonly TimeRange[], axis: TimeAxis): Promise<number[]>;
  /** The time of the newest event in some files. */
  newestEventMs(files: readonly LoggedFile[]): Promise<number | null>;
  /** Of the newest version. Without rejects nothing is loaded. */
  rejectReasons(): Promise<RejectReason[]>;
}

/**
 * The way of a writer. Its libraries are loaded at the first use.
 * @param ready starts DuckDB
 */
export function computeEngine(
  writer: LakeWriter,
  tools: CommitTools,
  ready: () => Promise<CommitContext>,
): ComputeEngine {
  const loadEngine = () => import('../portable/row-engine.ts');
  const ofBatch = async ({ batch, session, signal }: Parameters<ComputeEngine['engineFor']>[0]) => {
    if (batch !== null && 'identities' in batch) return (await loadEngine()).rowEngine(tools, batch, signal);
    return duckDbEngine(session === undefined ? await ready() : withConnection(tools, session.connection), batch);
  };
  if (writer === 'duckdb') {
    return {
      engineFor: ofBatch,
      countAnswers: async (questions) => countAnswers(await ready(), questions),
      countRecords: async (ranges, axis) => countRecords(await ready(), ranges, axis),
      newestEventMs: async (files) => readNewestEventMs(await ready(), files),
      rejectReasons: async () => ((await hasRejects(tools)) ? rejectReasons(await ready()) : []),
    };
  }
  const loadCounts = () => import('../portable/count-stored.ts');
  return {
    engineFor: async (request) =>
      request.batch === null ? (await loadEngine()).rowEngine(tools, null) : ofBatch(request),
    countAnswers: async (questions) => (await loadCounts()).countAnswersIn(tools, questions),
    countRecords: async (ranges, axis) => (await loadCounts()).countRecordsIn(tools, ranges, axis),
    newestEventMs: async (files) => (await loadCounts()).newestEventIn(tools, await tools.log.refresh(), files),
    rejectReasons: async () => (await loadCounts()).rejectReasonsIn(tools),
  };
}

/** Most lakes have none, and starting DuckDB takes longer than all else that `edrlake status` does. */
async function hasRejects({ log }: CommitTools): Promise<boolean> {
  const { files } = await log.refresh();
  return [...files.values()].some(({ table }) => table === REJECTS);
}
