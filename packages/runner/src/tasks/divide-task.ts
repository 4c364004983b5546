import { nounText, parseRange } from '@edrlake/core';
import { z } from 'zod';
import { divideDays } from '../days/divide-days.ts';
import type { RegisteredTask } from '../workflow/definition/define-pipeline.ts';
import { dayRangeInput, readInput, type TaskTools } from './task-tools.ts';

/** The parts of a long range, for a task with `forEach` that exports them. */
export interface DivideTaskOutput {
  readonly requests: number;
  /** The newest first: `2020-08-17`, or `2020-08-10..2020-08-16` with both days included. */
  readonly parts: readonly string[];
}

const DivideInput = z.strictObject(dayRangeInput);

/** What a pipeline gives the `divide` task. */
export type GivenDivide = z.input<typeof DivideInput>;

/** Divides days by their events, so that planning each part costs little beside its pages. */
export const divideTask: RegisteredTask<z.infer<typeof DivideInput>, DivideTaskOutput, TaskTools> = {
  meaning: 'divide days into parts by their events',
  parseInput: (input) => readInput(DivideInput, input),
  run: async ({ from, to }, { provided, services }) => {
    parseRange(from, to);
    return provided.useLake(async ({ connection }) => {
      const before = connection.requestsMade();
      const parts = await divideDays(connection.source, { from, to }, services.signal);
      return {
        requests: connection.requestsMade() - before,
        parts: parts.map((part) => (part.from === part.to ? part.from : `${part.from}..${part.to}`)),
      };
    }, services);
  },
  describe: async ({ from, to }, { provided, services }) => {
    parseRange(from, to);
    const parts = await provided.askSource((source) => divideDays(source, { from, to }, services.signal));
    return `${nounText(parts.length, 'part')} from ${from} to ${to}`;
  },
};
