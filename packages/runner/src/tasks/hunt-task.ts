import { resolve } from 'node:path';
import { huntStanding, type StandingMatch } from '@edrlake/lake';
import { readHuntFolder } from '@edrlake/lake/indicators';
import { z } from 'zod';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { readInput, type TaskTools } from './task-tools.ts';

const HuntInput = z.strictObject({ lists: z.string().min(1).nullable().default(null) });

/** What a pipeline gives the `hunt` task; what is left out has its default. */
export type GivenHunt = z.input<typeof HuntInput>;

/** What standing hunts have found, as it fits into a journal. */
export interface HuntTaskOutput {
  readonly lists: number;
  readonly matches: number;
  /** Those that no run has reported before. */
  readonly newMatches: number;
  /** The first of them; the view `hunt_matches` has all. */
  readonly firstMatches: readonly StandingMatch[];
  /** Whether `onMatch` was delivered; null where there was nothing new, or the pipeline has none. */
  readonly delivered: boolean | null;
  /** Data files that are gone or damaged, so that what they hold is not known. */
  readonly notLookedAt: number;
  /** What is no indicator in the lists, and was left out. */
  readonly faults: number;
}

const MATCHES_SENT = 100;
const MATCHES_KEPT = 20;
const FAULTS_NAMED = 20;

/** Brings standing hunts to the newest version, and reports new matches. */
export const huntTask: RegisteredTask<z.infer<typeof HuntInput>, HuntTaskOutput, TaskTools> = {
  meaning: 'hunt the lists of a folder in what is new, and report matches',
  parseInput: (input) => readInput(HuntInput, input),
  run: async (input, { provided, services, notify }) =>
    provided.useLake(async ({ lake }) => {
      const { signal, emit } = services;
      const folder = await readHuntFolder(folderOf(input, provided));
      const report = await huntStanding(lake, folder, { reader: 'hook', limit: MATCHES_SENT, signal });
      for (const { list, place, problem } of report.faults.slice(0, FAULTS_NAMED)) {
        emit({ type: 'list-fault', list, place, problem });
      }
      const { count, matches, generation } = report.fresh;
      const body = { newMatches: count, version: report.version, matches };
      const delivered = count === 0 ? null : await notify('onMatch', body);
      // What was not delivered is reported by the next run.
      if (delivered !== false) await lake.markReported('hook', generation);
      return {
        ...{ lists: report.lists.length, matches: report.matches, newMatches: count, delivered },
        firstMatches: matches.slice(0, MATCHES_KEPT),
        notLookedAt: report.pending,
        faults: report.faults.length,
      };
    }, services),
  describe: async (input, { provided }) => `the lists in ${folderOf(input, provided)}`,
};

function folderOf({ lists }: z.infer<typeof HuntInput>, { huntsDirectory }: Pick<TaskTools, 'huntsDirectory'>): string {
  return resolve(lists ?? huntsDirectory ?? 'hunts');
}
