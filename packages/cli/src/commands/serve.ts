import { resolve } from 'node:path';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { ENGINE, OUTPUT, QUERIED } from '../args/option-groups.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { serveLake, USUAL_PORT } from '../query/serve-lake.ts';

/** `edrlake serve` */
export const command = defineCommand({
  command: 'serve',
  describe: 'Show the lake as a page in the browser',
  details: [
    'Coverage, runs as they go, requests, freshness, and questions in SQL, until Ctrl-C. It only reads: no route changes anything, and questions are locked down as in edrlake query. A day says why it is in its state and which command puts it right.',
    'Statements in ./questions/*.sql are offered to all visitors; what a visitor saves stays in the browser.',
    'Whether a run on workers goes on, the Temporal server is asked, with --engine temporal; else it is unknown.',
    'It listens on this machine only. For another --host a --token-file is needed: visitors give the token as the password of any user, programs as a bearer. There is no TLS: put a proxy in front, or use ssh -L 8090:localhost:8090.',
  ],
  flags: ['port', 'host', 'token-file', 'rate-limit', ...QUERIED, ...ENGINE, ...OUTPUT],
  flagTexts: { port: { describe: 'Port to listen on; 0 takes a free one', defaultText: String(USUAL_PORT) } },
  examples: [
    { command: 'edrlake serve', purpose: 'the lake in ./lake' },
    { command: 'edrlake serve --host 0.0.0.0 --token-file token', purpose: 'for others' },
  ],
  run,
  together: 'never',
});

/** Serves the page until it is stopped. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const tokenFile = values['token-file'];
  const path = tokenFile === null ? null : resolve(context.workingDirectory, tokenFile);
  await serveLake(input, { host: values.host, port: values.port ?? USUAL_PORT, tokenFile: path }, context);
  // Being stopped is how it ends.
  return 0;
}
