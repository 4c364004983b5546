import { EdrlakeError, MS_PER_SECOND } from '@edrlake/core';
import type { RunLook } from '@edrlake/runner/history';
import type { RunStatus } from '@edrlake/runner/run-state';
import type { TemporalStatus } from '@edrlake/temporal';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { writeError } from '../text/error-text.ts';
import { temporalPlace } from './place.ts';

/** Asks the Temporal server of the settings how runs stand whose state it keeps. */
export interface ServerQuestion extends Required<Pick<RunLook, 'askEngine'>> {
  /** Why the server could not be asked; null where it was not necessary, or has answered. */
  problem(): EdrlakeError | null;
  close(): Promise<void>;
}

/** Connects for the first question only. What the server does not tell is `unknown`, and the reason is kept. */
function askServer(values: FlagValues, context: ProcessContext): ServerQuestion {
  let status: Promise<TemporalStatus> | null = null;
  let problem: EdrlakeError | null = null;
  const connect = async (): Promise<TemporalStatus> => {
    if (values.engine !== 'temporal') {
      throw new EdrlakeError('CONFIG_INVALID', 'a Temporal server keeps the state of runs here, and was not asked', {
        hint: 'Ask it with --engine temporal --address HOST:PORT, or put both into the configuration file.',
      });
    }
    const { connectStatus } = await import('@edrlake/temporal');
    return connectStatus(await temporalPlace(values, context), context.clock);
  };
  return {
    problem: () => problem,
    askEngine: async (workflow) => {
      if (workflow === null || problem !== null) return 'unknown';
      try {
        status ??= connect();
        return await (await status).statusOf(workflow);
      } catch (thrown) {
        if (!(thrown instanceof EdrlakeError)) throw thrown;
        problem = thrown;
        return 'unknown';
      }
    },
    close: async () => {
      const connected = await status?.catch(() => null);
      await connected?.close();
    },
  };
}

/** Reads with the answers of the server; says on stderr why it could not be asked. */
export async function askingServer<T>(
  values: FlagValues,
  context: ProcessContext,
  read: (askEngine: ServerQuestion['askEngine']) => Promise<T>,
): Promise<T> {
  const server = askServer(values, context);
  try {
    return await read(server.askEngine);
  } finally {
    await server.close();
    const problem = server.problem();
    if (problem !== null) await writeError(context, problem);
  }
}

/** How long an answer that may change is kept. */
const KEPT_MS = 5 * MS_PER_SECOND;

/** Answers that are kept, the newest. */
const MOST_KEPT = 1_000;

/**
 * The same question for a program that goes on: it asks anew, also a server that was away, and keeps what a run has
 * ended as.
 */
export function askServerAgain(values: FlagValues, context: ProcessContext): ServerQuestion['askEngine'] {
  const kept = new Map<string, { readonly status: Promise<RunStatus>; untilMs: number }>();
  const askOnce = async (...about: Parameters<ServerQuestion['askEngine']>): Promise<RunStatus> => {
    const server = askServer(values, context);
    try {
      return await server.askEngine(...about);
    } finally {
      await server.close();
    }
  };
  return async (workflow) => {
    if (workflow === null) return 'unknown';
    const before = kept.get(workflow.runId);
    if (before !== undefined && context.clock.nowMs() < before.untilMs) return before.status;
    const answer = { status: askOnce(workflow), untilMs: context.clock.nowMs() + KEPT_MS };
    kept.delete(workflow.runId);
    kept.set(workflow.runId, answer);
    for (const oldest of [...kept.keys()].slice(0, Math.max(0, kept.size - MOST_KEPT))) kept.delete(oldest);
    const status = await answer.status;
    if (status !== 'running' && status !== 'unknown') answer.untilMs = Number.POSITIVE_INFINITY;
    return status;
  };
}
