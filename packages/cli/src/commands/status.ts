import { type EdrlakeError, toEdrlakeError, writeText } from '@edrlake/core';
import { type LakeStatus, readLakeStatus } from '@edrlake/runner/history';
import { type CommandInput, defineCommand, type Turn } from '../args/command.ts';
import { ENGINE, LAKE, OUTPUT } from '../args/option-groups.ts';
import { lineWidth, type ProcessContext, showsColour, writeMessage } from '../process/process-context.ts';
import { stalenessOf, statusDocument, statusText } from '../render/status-text.ts';
import { userLimitOf } from '../session/connection-settings.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { LabelledSink } from '../subscriptions/labelled-sink.ts';
import { type SubscriptionStatus, subscriptionsText, worstFirst } from '../subscriptions/status-lines.ts';
import { worstOf } from '../subscriptions/worst-code.ts';
import { askingServer, type ServerQuestion } from '../temporal/ask-server.ts';
import { errorDocument, writeError } from '../text/error-text.ts';
import { writeJson } from '../text/json-output.ts';

/** As for a lake and an API that disagree: what the API has by now is not in the lake. */
const STALE = 4;

/** `edrlake status` */
export const command = defineCommand({
  command: 'status',
  describe: 'Show what the lake holds and the verdict of each day',
  details: [
    'A calendar of all days, what is newest, the last run. With --max-age, exit code 4 says that nothing was proven for too long.',
    'With --subscription all, or a pattern, it is one line each, the worst first: what cannot be read, what is not to be relied on, what is stale, what failed; then by age. The exit code is that of the worst.',
    'Whether a last run on workers goes on, the Temporal server is asked, with --engine temporal; else it is unknown.',
    'With --writer parquetjs no native code is loaded, for machines without DuckDB.',
  ],
  flags: ['max-age', 'rate-limit', ...LAKE, 'writer', ...ENGINE, ...OUTPUT],
  examples: [
    { command: 'edrlake status --max-age 26h', purpose: 'for cron: complains when a night was missed' },
    { command: 'edrlake status --lake /data/edr --json', purpose: 'for a monitor' },
    { command: 'edrlake status --subscription all', purpose: 'one line each, the worst first' },
  ],
  run,
  together,
});

/** Shows what the lake holds and the state of each day. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values } = input;
  const { stdout, stderr, env } = context;
  const nowMs = context.clock.nowMs();
  const status = await askingServer(values, context, (askEngine) => readStatus(input, context, { nowMs, askEngine }));
  const maxAgeMs = values['max-age'];
  const staleness = maxAgeMs === null ? null : stalenessOf(status, maxAgeMs, nowMs);
  if (values.json) {
    await writeJson(stdout, {
      ...statusDocument(status, nowMs),
      ...(maxAgeMs === null ? {} : { stale: staleness !== null }),
    });
  } else {
    const style = { width: lineWidth(stdout, env), colour: showsColour(stdout, env), nowMs };
    await writeMessage(context, statusText(status, style));
  }
  if (staleness === null) return 0;
  await writeText(stderr, `edrlake: ${staleness}\n`);
  return STALE;
}

function readStatus(
  { values }: CommandInput,
  context: ProcessContext,
  about: { readonly nowMs: number } & Pick<ServerQuestion, 'askEngine'>,
): Promise<LakeStatus> {
  const asked = { ...about, userLimit: userLimitOf(values) };
  return withLakeToRead(values, context, (lake) => readLakeStatus(lake, asked), values.writer);
}

/** A line for each subscription. A lake that cannot be read is one of them. */
async function together(turns: readonly Turn[], context: ProcessContext): Promise<number> {
  const { stdout, stderr, env, signal } = context;
  const nowMs = context.clock.nowMs();
  const found: (SubscriptionStatus & { readonly error: EdrlakeError | null })[] = [];
  for (const { input, context: own } of turns) {
    signal.throwIfAborted();
    const { name: subscription = '' } = input.subscription ?? {};
    const labelled = { ...own, stderr: new LabelledSink(stderr, `${subscription}: `, lineWidth(stderr, env)) };
    try {
      const status = await askingServer(input.values, labelled, (askEngine) =>
        readStatus(input, labelled, { nowMs, askEngine }),
      );
      const maxAgeMs = input.values['max-age'];
      const isStale = maxAgeMs !== null && stalenessOf(status, maxAgeMs, nowMs) !== null;
      found.push({ subscription, exitCode: isStale ? STALE : 0, status, errorCode: null, isStale, error: null });
    } catch (thrown) {
      signal.throwIfAborted();
      const error = toEdrlakeError(thrown);
      const { exitCode, code } = error;
      if (!input.values.json) await writeError(labelled, error);
      found.push({ subscription, exitCode, status: null, errorCode: code, isStale: false, error });
    }
  }
  const exitCode = worstOf(found.map((each) => each.exitCode));
  if (turns[0]?.input.values.json) {
    const errors = new Map(found.map(({ subscription, error }) => [subscription, error]));
    const subscriptions = worstFirst(found).map(({ subscription, exitCode: code, status, isStale }) => {
      const error = errors.get(subscription) ?? null;
      if (status === null) return { subscription, exitCode: code, ...(error && errorDocument(error)) };
      return { subscription, exitCode: code, result: { ...statusDocument(status, nowMs), stale: isStale } };
    });
    await writeJson(stdout, { exitCode, subscriptions });
  } else {
    await writeMessage(context, subscriptionsText(found, lineWidth(stdout, env)));
  }
  return exitCode;
}
