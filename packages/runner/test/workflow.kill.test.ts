import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { type ProcessOwner, systemProcesses } from '@edrlake/core';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { listRuns, readRun } from '../src/history/run-history.ts';
import { CHILD_DAYS } from './workflow-child-pipeline.ts';
import { RUN_ID } from './workflow-stage.ts';

const isOwnerAlive = (owner: ProcessOwner) => systemProcesses.stateOf(owner) === 'alive';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'edrlake-kill-'));
});
afterEach(() => rm(directory, { recursive: true, force: true }));

/** Starts a process and kills it as soon as it has printed a number of lines; null lets it end. Returns its output. */
async function child(mode: 'start' | 'resume', killAfterLines: number | null): Promise<string[]> {
  const script = fileURLToPath(new URL('workflow-child.mjs', import.meta.url));
  const spawned = spawn(process.execPath, [script, directory, mode], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(spawned, 'exit');
  const lines: string[] = [];
  for await (const line of createInterface({ input: spawned.stdout })) {
    lines.push(line);
    if (lines.length === killAfterLines) spawned.kill('SIGKILL');
  }
  await exited;
  return lines;
}

describe('a process that is killed', () => {
  it('leaves a run that others see as died, and whose resumption has the usual result', async () => {
    const runsDirectory = join(directory, '_runs');
    const said = [await child('start', 5), await child('resume', 12)];
    const dead = await readRun(runsDirectory, RUN_ID, { isOwnerAlive });
    expect([dead.state, dead.starts]).toEqual(['died', 2]);
    expect(await listRuns(runsDirectory, { limit: 5, isOwnerAlive })).toMatchObject([{ runId: RUN_ID, state: 'died' }]);

    said.push(await child('resume', null));
    expect(said.at(-1)?.at(-1)).toBe(`end done rows ${CHILD_DAYS + 2}`);
    const names = (await readdir(directory)).filter((name) => name !== '_runs');
    expect(names).toHaveLength(CHILD_DAYS + 2);
    for (const name of names.filter((found) => found.startsWith('day-'))) {
      expect(await readFile(join(directory, name), 'utf8')).toBe(`of ${name}`);
    }
    expect(await readFile(join(directory, 'sum'), 'utf8')).toBe(String(CHILD_DAYS));

    // A task that one process reported as done is not repeated by a later one.
    for (const [index, lines] of said.entries()) {
      const done = lines.filter((line) => line.startsWith('done ')).map((line) => line.slice(5));
      const later = said.slice(index + 1).flat();
      expect(done.filter((name) => later.includes(`work ${name}`))).toEqual([]);
    }
    const history = await readRun(runsDirectory, RUN_ID, { isOwnerAlive });
    expect([history.state, history.starts, history.rows]).toEqual(['done', 3, CHILD_DAYS + 2]);
  });

  it('is distinguished from a live one', () => {
    expect(isOwnerAlive(systemProcesses.current())).toBe(true);
  });
});
