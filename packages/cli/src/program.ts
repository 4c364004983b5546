import { createRedact, type EdrlakeError, flagsText, type Redact, toEdrlakeError, writeText } from '@edrlake/core';
import { COMPLETE, type Invocation, type Settings } from './args/command.ts';
import { completionWords, helpText, runCommandLine } from './args/command-line.ts';
import { readBoolean, readText } from './args/flags/flag-kinds.ts';
import { environmentName, type FlagName } from './args/options.ts';
import { commandLineLayer, environmentLayer, resolveSettings, type SettingsLayer } from './args/settings.ts';
import { COMMANDS } from './commands.ts';
import { readConfigFile } from './config/config-file.ts';
import { secretsOf } from './config/credentials.ts';
import { cleanEnvironment } from './process/clean-environment.ts';
import { lineWidth, type ProcessContext, pastingOf } from './process/process-context.ts';
import { proxySecrets } from './process/proxy-environment.ts';
import { settingsOf } from './subscriptions/choose.ts';
import { causeText, errorDocument, errorText } from './text/error-text.ts';

/**
 * Runs one command line and resolves to the exit code. Everything a command throws ends here as one message for people
 * on stderr, or as one JSON document on stdout.
 * @param args without program and script
 */
export async function runProgram(args: readonly string[], given: ProcessContext): Promise<number> {
  const env = cleanEnvironment(given.env);
  const context = { ...given, env };
  // Guessed from raw arguments, for errors in the command line; the settings replace it once they are read.
  const style = {
    json: switchedOn(args, 'json', env),
    debug: flagText(args, 'log-level', env) === 'debug',
    lakeFlags: '',
  };
  try {
    return await dispatch(args, style, context);
  } catch (thrown) {
    return await reportError(interruptOr(thrown, context), style, context);
  }
}

/** How errors are shown. */
interface ErrorStyle {
  json: boolean;
  debug: boolean;
  /** ` --lake DIR --dataset NAME` as far as they were typed, for the commands of messages. */
  lakeFlags: string;
}

async function dispatch(args: readonly string[], style: ErrorStyle, context: ProcessContext): Promise<number> {
  if (args[0] === COMPLETE) {
    await writeText(context.stdout, `${(await completionWords(args.slice(1), COMMANDS)).join('\n')}\n`);
    return 0;
  }
  const asked = helpAskedFor(args);
  if (asked !== null) {
    const width = lineWidth(context.stdout, context.env);
    await writeText(context.stdout, await helpText(asked.command, COMMANDS, width));
    return 0;
  }
  const invocation: Invocation = {
    get surroundings() {
      return { ...context, lakeFlags: style.lakeFlags };
    },
    input: null,
    chosen: null,
    exitCode: 0,
    runFor: async (work, input, chosen) => {
      // Loaded only here: most command lines name no subscription.
      const { runForSubscriptions } = await import('./subscriptions/in-turn.ts');
      const report: Parameters<typeof runForSubscriptions>[4] = (error, json, own) =>
        reportError(interruptOr(error, own), { ...style, json }, own);
      return runForSubscriptions(work, input, chosen, invocation.surroundings, report);
    },
  };
  return runCommandLine(args, COMMANDS, invocation, async (typed, flags, texts) => {
    const layer = commandLineLayer(typed, texts);
    style.lakeFlags = typedLakeFlags(layer);
    const settings = await readSettings(layer, flags, context);
    style.json = settings.values.json;
    style.debug = settings.values['log-level'] === 'debug';
    return settings;
  });
}

/** What help was asked for, or null. `edrlake`, `edrlake help [command]`, `--help` and `-h` anywhere before `--`. */
function helpAskedFor(args: readonly string[]): { readonly command: string | undefined } | null {
  const end = args.indexOf('--');
  const words = end === -1 ? args : args.slice(0, end);
  const asked = words.length === 0 || words[0] === 'help' || words.includes('--help') || words.includes('-h');
  const names = words.filter((word) => !word.startsWith('-') && word !== 'help');
  return asked ? { command: names.length === 0 ? undefined : names.join(' ') } : null;
}

/** As `lakeFlagsOf`, before the settings are read: an error in them names commands, too. */
function typedLakeFlags({ texts }: SettingsLayer): string {
  const typed = (['lake', 'dataset'] as const).flatMap((name) => {
    const text = texts.get(name)?.at(-1);
    return text === undefined ? [] : [[name, text] as const];
  });
  return flagsText(typed);
}

/** A command that takes no configuration file is decided by its command line alone. */
async function readSettings(
  typed: SettingsLayer,
  flags: readonly FlagName[],
  { env, workingDirectory }: ProcessContext,
): Promise<Settings> {
  if (!flags.includes('config')) return { values: resolveSettings([typed]), chosen: null };
  const environment = environmentLayer(env);
  const given = typed.texts.get('config')?.at(-1) ?? environment.texts.get('config')?.[0] ?? null;
  const file = await readConfigFile(workingDirectory, given === null ? null : readText(given));
  const takesSubscription = flags.includes('subscription');
  return settingsOf({ typed, environment, file, takesSubscription, workingDirectory });
}

async function reportError(error: EdrlakeError, style: ErrorStyle, context: ProcessContext): Promise<number> {
  const { env, stdout, stderr, workingDirectory, account } = context;
  const pasting = pastingOf({ ...context, lakeFlags: style.lakeFlags });
  const secrets = [...(await secretsOf(env, workingDirectory, account)), ...proxySecrets(env)];
  // The key of the server that hands out tasks.
  if (env.TEMPORAL_API_KEY) secrets.push(env.TEMPORAL_API_KEY);
  const known = createRedact(() => secrets);
  const redact: Redact = (text) => known(text).replaceAll(/\bBearer\s+[\w.~+/=-]+/g, 'Bearer [removed]');
  if (style.json) await writeText(stdout, `${JSON.stringify(errorDocument(error, redact))}\n`);
  else await writeText(stderr, errorText(error, lineWidth(stderr, env), pasting, redact));
  if (style.debug) await writeText(stderr, causeText(error, redact));
  return error.exitCode;
}

/** Any failure after the user stopped the command is the interrupt. */
function interruptOr(thrown: unknown, context: ProcessContext): EdrlakeError {
  const error = toEdrlakeError(thrown);
  if (!context.signal.aborted || error.code === 'INTERRUPTED') return error;
  return toEdrlakeError(context.signal.reason);
}

function switchedOn(args: readonly string[], name: FlagName, env: ProcessContext['env']): boolean {
  return args.includes(`--${name}`) || readBoolean(env[environmentName(name)] ?? '') === true;
}

function flagText(args: readonly string[], name: FlagName, env: ProcessContext['env']): string | undefined {
  const joined = args.find((arg) => arg.startsWith(`--${name}=`));
  if (joined !== undefined) return joined.slice(name.length + 3);
  return args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : env[environmentName(name)];
}
