import { EdrlakeError } from '@edrlake/core';
import type { RunLook } from '@edrlake/runner/history';
import type { TemporalStatus } from '@edrlake/temporal';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { temporalPlace } from './place.ts';

/** Asks the Temporal server of the settings how runs stand whose state it keeps. */
export interface ServerQuestion extends Required<Pick<RunLook, 'askEngine'>> {
  /** Why the server could not be asked; null where it was not necessary, or has answered. */
  problem(): EdrlakeError | null;
  close(): Promise<void>;
}

/** Connects for the first question only. What the server does not tell is `unknown`, and the reason is kept. */
export function askServer(values: FlagValues, context: ProcessContext): ServerQuestion {
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
