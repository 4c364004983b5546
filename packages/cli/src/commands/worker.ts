import { EdrlakeError, nounText } from '@edrlake/core';
import type { RunAbout } from '@edrlake/temporal';
import { type CommandInput, defineCommand, type Turn } from '../args/command.ts';
import { ENGINE, GATEWAY, OUTPUT, PLATFORM, QUERIED } from '../args/option-groups.ts';
import { readCredentials } from '../config/credentials.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { pipelineProgress } from '../progress/pipeline-progress.ts';
import { type ProgressDisplay, startDisplay } from '../progress/progress-display.ts';
import { requireGateway } from '../session/connection-settings.ts';
import { LabelledSink } from '../subscriptions/labelled-sink.ts';
import { openHost } from '../temporal/open-host.ts';
import { temporalPlace } from '../temporal/place.ts';

/** `edrlake worker` */
export const command = defineCommand({
  command: 'worker',
  describe: 'Do the tasks of runs that a Temporal server hands out',
  details: [
    'Stays and takes tasks of edrlake run, backfill and schedule with --engine temporal, for the subscriptions that it was started for. Start as many as you like, on as many machines. Ctrl-C stops it within two seconds: what it works on goes on at another worker, or at the next start.',
    'It needs the packages of Temporal, which do not come with edrlake; without them it says how to install them.',
  ],
  flags: [...ENGINE, 'slots', 'max-reject-share', ...GATEWAY, ...PLATFORM, ...QUERIED, 'publish', 'hunts', ...OUTPUT],
  examples: [
    { command: 'edrlake worker --engine temporal', purpose: 'for a server on this machine' },
    {
      command: 'edrlake worker --engine temporal --subscription all --slots 4',
      purpose: 'for every subscription of the configuration',
    },
  ],
  run: (input, context) => work([{ input, context }], input, context),
  together: async (turns, context) => {
    const [first] = turns;
    return first === undefined ? 0 : work(turns, first.input, context);
  },
});

/** Works until a signal stops it. */
async function work(turns: readonly Turn[], { values }: CommandInput, context: ProcessContext): Promise<number> {
  if (values.engine !== 'temporal') {
    throw new EdrlakeError('USAGE', 'edrlake worker: expected --engine temporal', {
      hint: 'Without an engine edrlake run does its tasks itself.',
    });
  }
  for (const turn of turns) {
    requireGateway(turn.input.values);
    await readCredentials(turn.context.env, turn.context.workingDirectory, turn.context.account);
  }
  const { runWorker } = await import('@edrlake/temporal');
  const place = await temporalPlace(values, context);
  const displays = new Map(turns.map((turn) => [turn.input.subscription?.name ?? null, displayOf(turn, context)]));
  const own = startDisplay({ ...values, 'no-progress': true }, context, pipelineProgress([], context.clock.nowMs()));
  const viewOf = ({ emit, log }: ProgressDisplay) => ({
    emit,
    log: (level: 'info' | 'warn' | 'debug', text: string) => log({ level, text }),
  });
  const viewFor = ({ subscription }: RunAbout) => viewOf(displays.get(subscription) ?? own);
  try {
    const { clock, random, signal } = context;
    const { slots } = values;
    await runWorker({
      ...{ place, slots, clock, random, signal, viewFor },
      open: (about) => openHost(about, turns, viewFor(about)),
      onReady: () => {
        const whose = nounText(turns.length, 'subscription');
        const text = `ready for ${whose}, ${nounText(slots, 'task')} at once, at ${place.address}, task queue ${place.taskQueue}`;
        own.log({ level: 'info', text });
      },
      log: viewOf(own).log,
    });
  } finally {
    for (const display of [...displays.values(), own]) display.stop();
  }
  // Stopped on purpose: what was going on is given back.
  return 0;
}

/** Of several subscriptions each has its name before its lines. */
function displayOf({ input, context: { account } }: Turn, context: ProcessContext): ProgressDisplay {
  const { stderr, env } = context;
  const label = account === undefined ? null : new LabelledSink(stderr, `${account.name}: `, lineWidth(stderr, env));
  const values = { ...input.values, 'no-progress': true };
  return startDisplay(
    values,
    { ...context, ...(label && { stderr: label }) },
    pipelineProgress([], context.clock.nowMs()),
  );
}
