import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { seededRandom, systemClock } from '@edrlake/core';
import { type SimulatorOptions, startSimulator } from '@edrlake/simulator';
import { onTestFinished } from 'vitest';
import type { Sharing } from '../src/connect/shared-connection.ts';
import { openTaskTools } from '../src/tasks/task-tools.ts';

/** The day of the gateway's events. */
export const DAY = { startMs: Date.UTC(2020, 7, 17), endMs: Date.UTC(2020, 7, 18) };
/** A signal that is never aborted. */
export const NEVER = new AbortController().signal;

/** A gateway, and what the tasks of a pipeline get; all of it ends with the test. */
export async function stageOfTasks(options: Partial<SimulatorOptions> = {}) {
  const parent = await mkdtemp(join(tmpdir(), 'edrlake-tasks-'));
  onTestFinished(() => rm(parent, { recursive: true, force: true }));
  const lakeDirectory = join(parent, 'lake');
  const simulator = await startSimulator({ events: 100, range: DAY, ...options });
  onTestFinished(() => simulator.close());
  const services = { clock: systemClock, random: seededRandom(1), emit: () => {}, signal: NEVER };
  const connection = { baseUrl: simulator.url, username: 'demo', password: 'demo' };
  const open = (priority: Sharing['priority'], patienceMs?: () => number) => {
    const exportOptions = { concurrency: 2, batchBytes: 1_000_000 };
    const post = async () => 200;
    const placeOf = (to: string) => ({ directory: to });
    const tools = openTaskTools(
      {
        connection,
        lakeDirectory,
        priority,
        command: 'run nightly',
        exportOptions,
        newRunId: () => 'run',
        post,
        placeOf,
        ...(patienceMs && { patienceMs }),
      },
      services,
    );
    onTestFinished(() => tools.close());
    return tools;
  };
  return { simulator, lakeDirectory, parent, services, connection, open };
}
