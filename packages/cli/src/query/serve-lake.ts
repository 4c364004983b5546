import { resolve } from 'node:path';
import { untilAborted } from '@edrlake/core';
import { readTokenFile, startPage } from '@edrlake/serve';
import type { CommandInput } from '../args/command.ts';
import { type ProcessContext, writeMessage } from '../process/process-context.ts';
import { programName, withProgramName } from '../process/program-name.ts';
import { userLimitOf } from '../session/connection-settings.ts';
import { lakeFlagsOf, lakeName } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { askServerAgain } from '../temporal/ask-server.ts';
import { writeJson } from '../text/json-output.ts';

/** Where the page is unless another port is chosen. */
export const USUAL_PORT = 8_090;

/** Where to listen, and the file of the token. */
export interface ServePlace {
  readonly host: string;
  readonly port: number;
  /** Absolute; null without one. */
  readonly tokenFile: string | null;
}

/**
 * Serves the page over the lake until it is stopped. With `--json`, or on a pipe, the first line is a JSON document
 * with `url`.
 */
export async function serveLake(
  input: Pick<CommandInput, 'values' | 'typed'>,
  { host, port, tokenFile }: ServePlace,
  context: ProcessContext,
): Promise<void> {
  const { values } = input;
  const { stdout, signal, clock, env } = context;
  const token = tokenFile === null ? null : await readTokenFile(tokenFile);
  await withLakeToRead(values, context, async (lake) => {
    const program = programName(env);
    const asPasted = (command: string) => withProgramName(command, program);
    const questionsFolder = resolve(context.workingDirectory, 'questions');
    const about = {
      lake,
      clock,
      questionsFolder,
      lakeFlags: lakeFlagsOf(input),
      asPasted,
      userLimit: userLimitOf(values),
      askEngine: askServerAgain(values, context),
    };
    const page = await startPage({ ...about, host, port, token });
    try {
      if (values.json || stdout.isTTY !== true) await writeJson(stdout, { url: page.url, lake: lake.address });
      else
        await writeMessage(context, `${lakeName(values, context)} is shown at\n\n  ${page.url}\n\nCtrl-C ends it.\n`);
      await untilAborted(signal);
    } finally {
      await page.close();
    }
  });
}
