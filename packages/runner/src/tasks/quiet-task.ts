import { NO_FILTER, SETTLE_LAG_MS } from '@edrlake/core';
import { z } from 'zod';
import { knownClocks } from '../run/read-clocks.ts';
import { watermarkOf } from '../sync/watermark.ts';
import { learnVolume, markReported, readQuiet, unreported } from '../volume/learned-volume.ts';
import { type QuietLine, quietLine } from '../volume/quiet-line.ts';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, type TaskTools } from './task-tools.ts';

const QuietInput = z.strictObject({});

/** What a pipeline gives the `quiet` task: nothing. */
export type GivenQuiet = z.input<typeof QuietInput>;

/** What the `quiet` task has found. */
export interface QuietTaskOutput {
  /** Proven days that the expectation comes from. */
  readonly learnedDays: number;
  /** Findings, those that were reported before among them. */
  readonly quiet: number;
  readonly newlyQuiet: number;
  /** The first of the new ones. */
  readonly firstQuiet: readonly QuietLine[];
  /** Whether `onQuiet` was delivered; null where there was nothing new, or the pipeline has none. */
  readonly delivered: boolean | null;
}

const SENT = 100;
const KEPT = 20;

/** Learns the volume of the lake, and reports sources that fell silent and days far below their expectation. */
export const quietTask: RegisteredTask<z.infer<typeof QuietInput>, QuietTaskOutput, TaskTools> = {
  meaning: 'report sources that fell silent and days far below their expectation',
  parseInput: (input) => readInput(QuietInput, input),
  run: async (_, { provided, services, notify }) =>
    provided.useLake(async ({ lake, connection }) => {
      const { nowMs } = knownClocks(connection.source, services);
      const uniqueName = provided.newRunId();
      await learnVolume(lake, { nowMs, signal: services.signal, uniqueName });
      const report = await readQuiet(lake, {
        snapshot: await lake.snapshot(),
        lines: await lake.coverage(),
        followedUntilMs: await watermarkOf(lake, 'processed', NO_FILTER, nowMs, SETTLE_LAG_MS),
        nowMs,
      });
      if (report === null) return { learnedDays: 0, quiet: 0, newlyQuiet: 0, firstQuiet: [], delivered: null };
      const fresh = (await unreported(lake, report)).map(quietLine);
      const body = { newlyQuiet: fresh.length, quiet: fresh.slice(0, SENT) };
      const delivered = fresh.length === 0 ? null : await notify('onQuiet', body);
      // What was not delivered is reported by the next run.
      if (delivered !== false) await markReported(lake, report, nowMs, uniqueName);
      const { learnedDays, findings } = report;
      const firstQuiet = fresh.slice(0, KEPT);
      return { learnedDays, quiet: findings.length, newlyQuiet: fresh.length, firstQuiet, delivered };
    }, services),
  describe: async () => 'the last days against the eight weeks before, without a request',
};
