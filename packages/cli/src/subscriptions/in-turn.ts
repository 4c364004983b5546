import { EdrlakeError, toEdrlakeError, writeText } from '@edrlake/core';
import { mapAtOnce } from '@edrlake/lake';
import type { Chosen, CommandInput, Subscription, SubscriptionWork, Turn } from '../args/command.ts';
import { wordsText } from '../args/flags/flag-kinds.ts';
import { readCredentials } from '../config/credentials.ts';
import { lineWidth, type ProcessContext, type TextSink } from '../process/process-context.ts';
import { requireGateway } from '../session/connection-settings.ts';
import type { ErrorDocument } from '../text/error-text.ts';
import { writeJson } from '../text/json-output.ts';
import { tableText } from '../text/table-text.ts';
import { TextCollector } from '../text/text-collector.ts';
import { LabelledSink } from './labelled-sink.ts';
import { badnessOf, codeMeaning, worstOf } from './worst-code.ts';

/** How one subscription ended. The `--json` document of several is `{ exitCode, subscriptions: […] }` of these. */
export interface TurnResult {
  readonly subscription: string;
  readonly exitCode: number;
  /** The `--json` document of its command; absent where it failed, and without `--json`. */
  readonly result?: unknown;
  readonly error?: ErrorDocument['error'];
}

/** Shows an error of one subscription, without the secrets of its account, and resolves to its exit code. */
export type ReportError = (error: EdrlakeError, json: boolean, context: ProcessContext) => Promise<number>;

/**
 * Runs a command for the chosen subscriptions. Each has its own account, lake and limit; what fails for one is reported
 * and does not keep the others from running. They run one after another: each may use all memory and threads that the
 * settings allow, and a machine that is to do more runs several commands.
 * @returns the exit code: of the worst
 * @throws {EdrlakeError} before anything is started, where a setting or an account is missing
 */
export async function runForSubscriptions(
  work: SubscriptionWork,
  input: CommandInput,
  { subscriptions, isNamed }: Chosen,
  context: ProcessContext,
  report: ReportError,
): Promise<number> {
  const isElsewhere = work.isElsewhere?.(input.values) === true;
  if (!isElsewhere) await refuseUnready(work, input, subscriptions, context);
  const [only] = subscriptions;
  if (isNamed && only !== undefined) {
    const turn = turnOf(only, input, context);
    return work
      .run(turn.input, turn.context)
      .catch((thrown) => report(toEdrlakeError(thrown), only.values.json, turn.context));
  }
  const turns = { work, input, subscriptions, context, report };
  if (isElsewhere) return input.values.json ? collected(turns, atOnce) : shown(turns, atOnce);
  refuseAlone(work, subscriptions, input);
  if (typeof work.together === 'function') {
    const each = subscriptions.map((subscription) => turnOf(subscription, input, context));
    return work.together(each, context);
  }
  return input.values.json ? collected(turns, inTurn) : shown(turns, inTurn);
}

/** What a command gets of a subscription instead of the settings of all. */
function turnOf({ name, pipeline, values, account }: Subscription, input: CommandInput, context: ProcessContext): Turn {
  return { input: { ...input, values, subscription: { name, pipeline } }, context: { ...context, account } };
}

/**
 * Reads each account once, so that a night for a hundred subscriptions does not find in the morning that one variable
 * was missing.
 */
async function refuseUnready(
  { flags }: SubscriptionWork,
  { values, typed }: CommandInput,
  subscriptions: readonly Subscription[],
  { env, workingDirectory }: ProcessContext,
): Promise<void> {
  const asksAlways = flags.includes('base-url') && !flags.includes('api') && !typed.has('lake');
  if (!asksAlways && !values.api) return;
  for (const { name, values: own, account } of subscriptions) {
    try {
      requireGateway(own);
      await readCredentials(env, workingDirectory, account);
    } catch (thrown) {
      const { code, message, hint, context } = toEdrlakeError(thrown);
      throw new EdrlakeError(code, `subscription ${name}: ${message}`, {
        cause: thrown,
        context,
        ...(hint && { hint }),
      });
    }
  }
}

/** @throws {EdrlakeError} `USAGE` for several where the command is for one */
function refuseAlone(
  { name, together }: SubscriptionWork,
  subscriptions: readonly Subscription[],
  { values }: CommandInput,
): void {
  const names = subscriptions.map((each) => each.name);
  if (together === 'never') {
    throw new EdrlakeError('USAGE', `edrlake ${name} is for one subscription, named by its name`, {
      hint: `Start one for each: edrlake ${name} --subscription ${names[0] ?? 'NAME'}`,
    });
  }
  if (typeof together === 'function') return;
  const place = name.startsWith('publish ') ? 'to' : 'output';
  // These write what they make in one place, unless it is said for each.
  const writesTogether = name === 'export' || name === 'publish ocsf';
  if (values[place] === null && !writesTogether) return;
  const places = new Set(subscriptions.map((each) => each.values[place]));
  if (places.size === subscriptions.length && !places.has(null)) return;
  const found = values[place] === null ? 'nothing' : `"${values[place]}"`;
  throw new EdrlakeError(
    'USAGE',
    `--${place}: expected a place for each of ${wordsText(names, 'and')}, found ${found}`,
    {
      hint: `Put the name into the path: --${place} backup/{subscription}/`,
    },
  );
}

/** What each turn needs. */
interface Turns {
  readonly work: SubscriptionWork;
  readonly input: CommandInput;
  readonly subscriptions: readonly Subscription[];
  readonly context: ProcessContext;
  readonly report: ReportError;
}

/** The sink of what the command writes to stdout for a subscription, and what to make of its end. */
type BeginTurn = (
  name: string,
) => Promise<{ readonly stdout: TextSink; readonly ended: (exitCode: number) => TurnResult }>;

/** Runs the command for each subscription, one after another, with its name before each line of stderr. */
async function inTurn(turns: Turns, json: boolean, begin: BeginTurn): Promise<TurnResult[]> {
  const { signal } = turns.context;
  const results: TurnResult[] = [];
  for (const subscription of turns.subscriptions) {
    if (signal.aborted) break;
    const { stdout, ended } = await begin(subscription.name);
    results.push(ended(await runTurn(turns, subscription, stdout, json)));
  }
  signal.throwIfAborted();
  return results;
}

/** The same for all of them at once, for work that others do. What each writes is shown when it has ended. */
async function atOnce(turns: Turns, json: boolean, begin: BeginTurn): Promise<TurnResult[]> {
  const texts = await mapAtOnce(turns.subscriptions, AT_ONCE, async (subscription) => {
    const stdout = new TextCollector();
    return { name: subscription.name, stdout, exitCode: await runTurn(turns, subscription, stdout, json) };
  });
  const results: TurnResult[] = [];
  for (const { name, stdout, exitCode } of texts) {
    const turn = await begin(name);
    await writeText(turn.stdout, stdout.text);
    results.push(turn.ended(exitCode));
  }
  turns.context.signal.throwIfAborted();
  return results;
}

/** Subscriptions whose work elsewhere is followed at once. */
const AT_ONCE = 100;

function runTurn(
  { work, input, context, report }: Turns,
  subscription: Subscription,
  stdout: TextSink,
  json: boolean,
): Promise<number> {
  const { stderr, env } = context;
  const labelled = new LabelledSink(stderr, `${subscription.name}: `, lineWidth(stderr, env));
  const turn = turnOf(subscription, input, { ...context, stdout, stderr: labelled });
  return work.run(turn.input, turn.context).catch((thrown) => report(toEdrlakeError(thrown), json, turn.context));
}

/** Each below its heading; then what became of each, the worst first. */
async function shown(turns: Turns, all: typeof inTurn): Promise<number> {
  const { stdout, env } = turns.context;
  let isFirst = true;
  const results = await all(turns, false, async (subscription) => {
    await writeText(stdout, `${isFirst ? '' : '\n'}== ${subscription} ==\n`);
    isFirst = false;
    return { stdout, ended: (exitCode) => ({ subscription, exitCode }) };
  });
  const rows = [...results]
    .sort((a, b) => badnessOf(b.exitCode) - badnessOf(a.exitCode))
    .map(({ subscription, exitCode }) => [subscription, String(exitCode), codeMeaning(exitCode)]);
  const columns = [{ title: 'subscription' }, { title: 'exit code' }, { title: 'meaning' }];
  await writeText(stdout, `\n== all ==\n${tableText(columns, rows, lineWidth(stdout, env))}\n`);
  return worstOf(results.map(({ exitCode }) => exitCode));
}

/** Their documents in one, in the order of the configuration. */
async function collected(turns: Turns, all: typeof inTurn): Promise<number> {
  const subscriptions = await all(turns, true, async (subscription) => {
    const stdout = new TextCollector();
    return { stdout, ended: (exitCode) => ({ subscription, exitCode, ...documentOf(stdout.text) }) };
  });
  const exitCode = worstOf(subscriptions.map((result) => result.exitCode));
  await writeJson(turns.context.stdout, { exitCode, subscriptions });
  return exitCode;
}

/** What a command wrote to stdout: its result, or its error. */
function documentOf(text: string): Pick<TurnResult, 'result' | 'error'> {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch {
    return { result: text === '' ? null : text };
  }
  const isError = typeof document === 'object' && document !== null && Object.keys(document).join() === 'error';
  return isError ? { error: (document as ErrorDocument).error } : { result: document };
}
