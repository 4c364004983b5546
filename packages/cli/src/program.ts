import { type EdrlakeError, toEdrlakeError } from '@edrlake/core';
import { cleanEnvironment } from './clean-environment.ts';
import { COMPLETE, type CommandSpec } from './command.ts';
import { commandNamed } from './command-list.ts';
import { completionWords } from './completion-words.ts';
import { readConfigFile } from './config-file.ts';
import { causeText, errorDocument, errorText, withoutSecrets } from './error-text.ts';
import { readBoolean, readText } from './flag-values.ts';
import { environmentName, type FlagName, type FlagValues } from './flags.ts';
import { commandHelp, programHelp } from './help-text.ts';
import { proxySecrets } from './proxy-environment.ts';
import { commandLineLayer, configLayer, environmentLayer, resolveSettings, type SettingsLayer } from './settings.ts';
import { lineWidth, type Surroundings, writeText } from './surroundings.ts';

/**
 * Runs one command line and resolves to the exit code. Everything a command throws ends here as one message for people on
 * stderr, or as one JSON document on stdout.
 * @param args without program and script
 */
export async function runProgram(args: readonly string[], given: Surroundings): Promise<number> {
  const env = cleanEnvironment(given.env);
  const surroundings = { ...given, env };
  // What can be told before the command line is known to be right; the settings replace it once they are read.
  const style = { json: switchedOn(args, 'json', env), debug: flagText(args, 'log-level', env) === 'debug' };
  try {
    return await dispatch(args, style, surroundings);
  } catch (thrown) {
    return await reportError(interruptOr(thrown, surroundings), style, surroundings);
  }
}

/** How errors are shown. */
interface ErrorStyle {
  json: boolean;
  debug: boolean;
}

async function dispatch(args: readonly string[], style: ErrorStyle, surroundings: Surroundings): Promise<number> {
  if (args[0] === COMPLETE) {
    await writeText(surroundings.stdout, `${completionWords(args.slice(1)).join('\n')}\n`);
    return 0;
  }
  const help = helpFor(args, lineWidth(surroundings.stdout, surroundings.env));
  if (help !== null) {
    await writeText(surroundings.stdout, help);
    return 0;
  }
  const { parseArguments } = await import('./parse-arguments.ts');
  const parsed = parseArguments(args);
  const values = await settingsOf(parsed.command, commandLineLayer(parsed.texts), surroundings);
  style.json = values.json;
  style.debug = values['log-level'] === 'debug';
  const { run } = await parsed.command.load();
  surroundings.signal.throwIfAborted();
  const { positionals, words } = parsed;
  return run({ values, positionals, words, typed: new Set(parsed.texts.keys()) }, surroundings);
}

/** The help that was asked for, or null. `edrlake`, `edrlake help [command]`, `--help` and `-h` anywhere before `--`. */
function helpFor(args: readonly string[], width: number): string | null {
  const end = args.indexOf('--');
  const words = end === -1 ? args : args.slice(0, end);
  const asked = words.length === 0 || words[0] === 'help' || words.includes('--help') || words.includes('-h');
  if (!asked) return null;
  const command = words
    .filter((word) => !word.startsWith('-') && word !== 'help')
    .slice(0, 1)
    .map(commandNamed)[0];
  return command === undefined || command === null ? programHelp(width) : commandHelp(command, width);
}

async function settingsOf(command: CommandSpec, typed: SettingsLayer, surroundings: Surroundings): Promise<FlagValues> {
  if (!command.readsConfiguration) return resolveSettings([typed]);
  const environment = environmentLayer(surroundings.env);
  const given = typed.texts.get('config')?.at(-1) ?? environment.texts.get('config')?.[0] ?? null;
  const file = await readConfigFile(surroundings.workingDirectory, given === null ? null : readText(given));
  const layers = [typed, environment];
  if (file !== null) layers.push(configLayer(file.values, file.path));
  return resolveSettings(layers);
}

async function reportError(error: EdrlakeError, style: ErrorStyle, surroundings: Surroundings): Promise<number> {
  const { env, stdout, stderr } = surroundings;
  const secrets = [env.EDRLAKE_PASSWORD ?? '', ...proxySecrets(env)];
  if (style.json) {
    await writeText(stdout, `${withoutSecrets(JSON.stringify(errorDocument(error)), secrets)}\n`);
  } else {
    await writeText(stderr, withoutSecrets(errorText(error, lineWidth(stderr, env)), secrets));
  }
  if (style.debug) await writeText(stderr, withoutSecrets(causeText(error), secrets));
  return error.exitCode;
}

/** Whatever fails because a person stopped the command is the interrupt. */
function interruptOr(thrown: unknown, surroundings: Surroundings): EdrlakeError {
  const error = toEdrlakeError(thrown);
  if (!surroundings.signal.aborted || error.code === 'INTERRUPTED') return error;
  return toEdrlakeError(surroundings.signal.reason);
}

function switchedOn(args: readonly string[], name: FlagName, env: Surroundings['env']): boolean {
  return args.includes(`--${name}`) || readBoolean(env[environmentName(name)] ?? '') === true;
}

function flagText(args: readonly string[], name: FlagName, env: Surroundings['env']): string | undefined {
  const joined = args.find((arg) => arg.startsWith(`--${name}=`));
  if (joined !== undefined) return joined.slice(name.length + 3);
  return args.includes(`--${name}`) ? args[args.indexOf(`--${name}`) + 1] : env[environmentName(name)];
}
