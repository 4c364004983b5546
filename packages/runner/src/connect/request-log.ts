import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { RateLimiter } from '@edrlake/client';
import {
  appendUnsynced,
  type Clock,
  type Deprecation,
  dayOf,
  isoInstant,
  MS_PER_DAY,
  MS_PER_HOUR,
  makeFolder,
  type RunEvent,
} from '@edrlake/core';

/** One line of the log: requests of one process in one hour, since its line before. */
export interface RequestLogLine {
  /** When it was written; its requests were answered in the hour (UTC) of that instant. */
  readonly at: string;
  /** Digest of host and user. */
  readonly account: string;
  /** What sent them: a command such as `sync`, `run nightly`, or `library`. */
  readonly command: string;
  /** By endpoint and HTTP status, such as `events 200`; `events none` where no answer came. */
  readonly answers: Readonly<Record<string, number>>;
  /** Of them, those that were sent once more, after a failure or a 204. */
  readonly repeated: number;
  /** The tightest limit in force. */
  readonly limit: { readonly requests: number; readonly windowSeconds: number };
  /** Requests of other users of the subscription within that window, by the last answer; null while unknown. */
  readonly others: number | null;
  /** What answers say about the end of an endpoint: the last that was said. Absent: nothing. */
  readonly deprecation?: Deprecation;
}

/** Keeps what was asked of the API, for `edrlake requests`. */
export interface RequestLog {
  /** Counts a `request` event. Others matter only as moments to write what was counted. */
  observe(event: RunEvent): void;
  /** Writes what is left. It never throws: no export fails because its log cannot be written. */
  close(): Promise<void>;
}

/** Requests are written in groups of this size, so a killed process takes the last few with it. */
const WRITE_EVERY = 25;
/** Days that are kept. */
const KEPT_DAYS = 100;

/** The folder with a file for each day (UTC), such as `2026-11-29.jsonl`. */
export function requestLogFolder(lakeDirectory: string): string {
  return join(lakeDirectory, '_runs', 'requests');
}

/**
 * A log of the requests of one account, by one command. Each line begins with the line break that ends the one before,
 * so that a line which a crash cut off spoils no other.
 */
export function openRequestLog(
  about: { readonly lakeDirectory: string; readonly account: string; readonly command: string },
  limiter: Pick<RateLimiter, 'limit' | 'usedByOthers'>,
  { clock, emit }: { readonly clock: Clock; readonly emit: (event: RunEvent) => void },
): RequestLog {
  const { account, command } = about;
  const folder = requestLogFolder(about.lakeDirectory);
  let answers: Record<string, number> = {};
  let [counted, repeated, lastMs] = [0, 0, 0];
  let others: number | null = null;
  let deprecation: Deprecation | null = null;
  let written: Promise<void> = Promise.resolve();
  let isPruned = false;
  let hasFailed = false;

  async function write(line: RequestLogLine): Promise<void> {
    if (hasFailed) return;
    try {
      const day = line.at.slice(0, 10);
      await makeFolder(folder);
      await appendUnsynced(join(folder, `${day}.jsonl`), `\n${JSON.stringify(line)}`);
      if (!isPruned) await removeOldDays(folder, dayOf(Date.parse(line.at) - KEPT_DAYS * MS_PER_DAY));
      isPruned = true;
    } catch (thrown) {
      hasFailed = true;
      emit({ type: 'requests-unlogged', directory: folder, reason: thrown instanceof Error ? thrown.message : '' });
    }
  }

  function flush(): void {
    if (counted === 0) return;
    const { requests, windowSeconds } = limiter.limit();
    const limit = { requests, windowSeconds };
    const said = deprecation !== null && { deprecation };
    const line = { at: isoInstant(lastMs), account, command, answers, repeated, limit, others, ...said };
    answers = {};
    [counted, repeated] = [0, 0];
    written = written.then(() => write(line));
  }

  return {
    observe(event) {
      // A wait may be long: what was counted before it can be read meanwhile.
      if (event.type === 'pace') flush();
      if (event.type !== 'request') return;
      const nowMs = clock.nowMs();
      if (hourOf(nowMs) !== hourOf(lastMs)) flush();
      lastMs = nowMs;
      const key = `${event.endpoint} ${event.status ?? 'none'}`;
      answers[key] = (answers[key] ?? 0) + 1;
      if (event.attempt > 1) repeated++;
      others = limiter.usedByOthers();
      deprecation = event.deprecation ?? deprecation;
      if (++counted >= WRITE_EVERY) flush();
    },
    async close() {
      flush();
      await written;
    },
  };
}

function hourOf(ms: number): number {
  return Math.floor(ms / MS_PER_HOUR);
}

async function removeOldDays(folder: string, before: string): Promise<void> {
  for (const name of await readdir(folder)) {
    if (/^\d{4}-\d{2}-\d{2}\.jsonl$/.test(name) && name < before) await rm(join(folder, name), { force: true });
  }
}
