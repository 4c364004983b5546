import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { EdrlakeError } from '@edrlake/core';
import type { Child, ProcessContext } from '../process/process-context.ts';

/** A simulated gateway in a process of its own. */
export interface SimulatedGateway {
  readonly url: string;
  readonly username: string;
  readonly password: string;
  stop(): Promise<void>;
}

const START_WITHIN_MS = 15_000;

/**
 * Starts `edrlake simulate` as a child on a free port and resolves as soon as it listens. The caller stops it; it ends
 * with this process in any case.
 * @param flags of `simulate`
 * @param workingDirectory a folder without a configuration that could change what is simulated
 */
export async function startSimulatedGateway(
  flags: readonly string[],
  workingDirectory: string,
  context: ProcessContext,
): Promise<SimulatedGateway> {
  const child = context.spawnChild([...context.selfCommand, 'simulate', '--json', '--port', '0', ...flags], {
    env: withoutSettings(context.env),
    workingDirectory,
  });
  try {
    const line = await firstLine(child, context);
    const { url, username, password } = JSON.parse(line) as SimulatedGateway;
    return { url, username, password, stop: () => child.stop() };
  } catch (error) {
    await child.stop();
    throw error;
  }
}

async function firstLine(child: Child, context: ProcessContext): Promise<string> {
  const given = new AbortController();
  const late = context.clock.sleep(START_WITHIN_MS, AbortSignal.any([given.signal, context.signal]));
  try {
    const line = await Promise.race([readLine(child.stdout), late]);
    if (typeof line === 'string' && line.startsWith('{"url"')) return line;
  } finally {
    given.abort();
    await late.catch(() => {});
  }
  context.signal.throwIfAborted();
  throw new EdrlakeError('BUG', 'expected the simulated gateway to say where it listens, found nothing', {
    hint: 'Try: edrlake simulate',
  });
}

/** The first line, or null when the stream ends before there is one. */
function readLine(stream: Readable): Promise<string | null> {
  return new Promise((resolve) => {
    const lines = createInterface({ input: stream });
    lines.once('line', resolve);
    lines.once('close', () => resolve(null));
  });
}

/** The environment without our own settings: what a user set for a real gateway must not change a simulated one. */
function withoutSettings(env: ProcessContext['env']): ProcessContext['env'] {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('EDRLAKE_')));
}
