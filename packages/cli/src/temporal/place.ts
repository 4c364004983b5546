import { readFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { EdrlakeError } from '@edrlake/core';
import type { RunAbout, TemporalPlace, TlsSettings } from '@edrlake/temporal';
import type { CommandInput } from '../args/command.ts';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { lakeName } from '../session/lake-access.ts';

/**
 * The Temporal server of the settings. A key for it comes from `TEMPORAL_API_KEY`, as for the tools of Temporal.
 * @throws {EdrlakeError} `USAGE` for files without `--tls`, `CONFIG_INVALID` for those that cannot be read
 */
export async function temporalPlace(values: FlagValues, context: ProcessContext): Promise<TemporalPlace> {
  const { address, namespace, 'task-queue': taskQueue } = values;
  const apiKey = context.env.TEMPORAL_API_KEY || null;
  return { address, namespace, taskQueue, tls: await tlsOf(values, context, apiKey), apiKey };
}

async function tlsOf(values: FlagValues, context: ProcessContext, apiKey: string | null): Promise<TlsSettings | null> {
  const { tls, 'tls-ca': ca, 'tls-cert': shown, 'tls-key': key } = values;
  const named = (['tls-ca', 'tls-cert', 'tls-key'] as const).find((flag) => values[flag] !== null);
  if (!tls && named !== undefined) {
    throw new EdrlakeError('USAGE', `--${named} is for an encrypted connection`, { hint: 'Give --tls as well.' });
  }
  if (!tls && apiKey !== null) {
    throw new EdrlakeError('CONFIG_INVALID', 'TEMPORAL_API_KEY is set, and the connection is not encrypted', {
      hint: 'Give --tls, or unset it.',
    });
  }
  if (!tls) return null;
  if ((shown === null) !== (key === null)) {
    throw new EdrlakeError('USAGE', 'expected --tls-cert and --tls-key together, found one of them');
  }
  const read = (flag: string, path: string) => readPem(flag, resolve(context.workingDirectory, path));
  return {
    authorities: ca === null ? null : await read('tls-ca', ca),
    client:
      shown === null || key === null ? null : { pem: await read('tls-cert', shown), key: await read('tls-key', key) },
  };
}

async function readPem(flag: string, path: string): Promise<Uint8Array> {
  const found = await readFile(path).catch((cause: unknown) => {
    throw new EdrlakeError('CONFIG_INVALID', `--${flag}: ${path} cannot be read`, { cause });
  });
  if (found.includes('-----BEGIN ')) return found;
  throw new EdrlakeError('CONFIG_INVALID', `--${flag}: expected PEM in ${path}, found no line -----BEGIN`);
}

/** For whom, where and what: workers with other settings refuse it. */
export function runAbout(
  { values, subscription }: Pick<CommandInput, 'values' | 'subscription'>,
  pipeline: string,
  context: ProcessContext,
): RunAbout {
  return { subscription: subscription?.name ?? null, lake: lakeName(values, context), pipeline };
}
