import type { Clock } from '@edrlake/core';
import type { StepTools, TaskTools } from '@edrlake/runner';
import type { RunAbout } from '../contract/contract.ts';

/**
 * What a worker works with for one run: the pipeline, and tools that open lake and connection when a task needs them.
 */
export interface RunHost extends Omit<StepTools<TaskTools>, 'services'> {
  /** Sets how long its requests may wait for the rate limit. */
  setPatience(ms: number): void;
  close(): Promise<void>;
}

/** Opens hosts. @throws {EdrlakeError} where the worker's settings are not those of the run */
export type OpenHost = (about: RunAbout) => Promise<RunHost>;

/** The hosts of the runs that this worker has worked for just now. */
export interface RunHosts {
  /** Does a piece of work with the host of a run. */
  use<T>(runId: string, about: RunAbout, work: (host: RunHost) => Promise<T>): Promise<T>;
  /** Closes what is open. No work may be going on. */
  close(): Promise<void>;
}

/** Tasks of a run follow each other within moments: to open lake and connection costs a second and a login. */
const IDLE_MS = 5_000;

interface OpenHostEntry {
  readonly host: Promise<RunHost>;
  users: number;
  /** Ends the wait after which it is closed. */
  awaited: AbortController | null;
}

/** @param onCloseFailed what could not be closed well has been committed all the same */
export function keepHosts(open: OpenHost, clock: Clock, onCloseFailed: (thrown: unknown) => void): RunHosts {
  const entries = new Map<string, OpenHostEntry>();
  const closing = new Set<Promise<void>>();

  function closeEntry(runId: string, entry: OpenHostEntry): void {
    if (entries.get(runId) === entry) entries.delete(runId);
    const closed = entry.host.then((host) => host.close()).catch(onCloseFailed);
    closing.add(closed);
    void closed.finally(() => closing.delete(closed));
  }

  function release(runId: string, entry: OpenHostEntry): void {
    entry.users -= 1;
    if (entry.users > 0) return;
    const awaited = new AbortController();
    entry.awaited = awaited;
    clock.sleep(IDLE_MS, awaited.signal).then(
      () => closeEntry(runId, entry),
      () => undefined,
    );
  }

  return {
    async use(runId, about, work) {
      const entry = entries.get(runId) ?? { host: open(about), users: 0, awaited: null };
      entries.set(runId, entry);
      entry.awaited?.abort();
      entry.awaited = null;
      entry.users += 1;
      try {
        return await work(await entry.host);
      } catch (thrown) {
        // One that could not be opened is opened anew the next time.
        await entry.host.catch(() => entries.delete(runId));
        throw thrown;
      } finally {
        if (entries.get(runId) === entry) release(runId, entry);
      }
    },
    async close() {
      for (const [runId, entry] of entries) {
        entry.awaited?.abort();
        closeEntry(runId, entry);
      }
      await Promise.all(closing);
    },
  };
}
