import { didYouMean, EdrlakeError } from '@edrlake/core';
import parser from 'yargs-parser';
import type { CommandSpec } from './command.ts';
import { acceptedFlags, COMMANDS, commandNamed } from './command-list.ts';
import { FLAG_NAMES, type FlagName, flagNamed } from './flags.ts';

/** A command line that was understood. */
export interface ParsedArguments {
  readonly command: CommandSpec;
  readonly positionals: Readonly<Record<string, string>>;
  readonly words: readonly string[];
  readonly texts: ReadonlyMap<FlagName, readonly string[]>;
}

const CREDENTIAL_WORDS = ['username', 'user', 'login', 'password', 'password-file', 'passwd', 'token', 'secret'];

/**
 * Reads a command line. Texts stay texts: their meaning is checked where environment and configuration are, by the same rules.
 * @throws {EdrlakeError} `USAGE` for an unknown command or flag, a missing value or argument; with the nearest name.
 */
export function parseArguments(args: readonly string[]): ParsedArguments {
  const first = args[0];
  if (first === undefined) {
    throw new EdrlakeError('USAGE', 'expected a command', {
      hint: 'edrlake --help lists them; edrlake demo shows all.',
    });
  }
  const command = commandNamed(first);
  if (command === null) throw unknownCommand(first);
  const parsed = parsedWords(command, args.slice(1));
  const words = parsed._.map(String);
  const positionals = positionalsOf(command, words);
  const texts = new Map<FlagName, readonly string[]>();
  for (const name of acceptedFlags(command)) {
    const value = parsed[name];
    if (value !== undefined) texts.set(name, Array.isArray(value) ? value.map(String) : [String(value)]);
  }
  return { command, positionals, words, texts };
}

/** The arguments without a flag by their names. The parser itself would lose a lone `-`. */
function positionalsOf(command: CommandSpec, words: readonly string[]): Record<string, string> {
  const seeHelp = seeHelpOf(command);
  const unexpected = words[command.positionals.length];
  if (unexpected !== undefined && command.positionals.at(-1)?.repeats !== true) {
    throw new EdrlakeError('USAGE', `edrlake ${command.name} does not take the argument "${unexpected}"`, {
      hint: seeHelp,
    });
  }
  const found: Record<string, string> = {};
  for (const [position, { name }] of command.positionals.entries()) {
    const word = words[position];
    if (word !== undefined) found[name] = word;
  }
  const required = command.positionals.filter((positional) => positional.required);
  if (required.every(({ name }) => name in found)) return found;
  const names = required.map(({ name }) => name.toUpperCase());
  throw new EdrlakeError('USAGE', `edrlake ${command.name}: expected ${names.join(' and ')}`, { hint: seeHelp });
}

/** Values by flag name and the words without a flag under `_`, as texts; what the command does not know is refused. */
function parsedWords(
  command: CommandSpec,
  args: readonly string[],
): Record<string, unknown> & { readonly _: unknown[] } {
  const accepted = acceptedFlags(command);
  const valued = accepted.filter((name) => flagNamed(name).valueName !== null);
  const { argv, error } = parser.detailed([...args], {
    string: ['_', ...valued],
    boolean: accepted.filter((name) => !valued.includes(name)),
    narg: Object.fromEntries(valued.map((name) => [name, 1])),
    configuration: PARSING,
  });
  if (error !== null) throw usageError(error.message, command);
  const unknown = Object.keys(argv).find((key) => key !== '_' && !accepted.some((name) => name === key));
  if (unknown !== undefined) throw unknownFlag(unknown, command, seeHelpOf(command));
  return { ...argv, _: argv._ };
}

const PARSING = {
  'camel-case-expansion': false,
  'boolean-negation': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'greedy-arrays': false,
  'short-option-groups': false,
  'populate--': false,
} as const;

function seeHelpOf(command: CommandSpec): string {
  return `See: edrlake ${command.name} --help`;
}

function unknownCommand(word: string): EdrlakeError {
  if (word.startsWith('-')) {
    return new EdrlakeError('USAGE', `expected a command before ${flagPart(word)}`, {
      hint: 'edrlake --help lists the commands.',
    });
  }
  const near = didYouMean(
    word,
    COMMANDS.map((command) => command.name),
  );
  return new EdrlakeError('USAGE', `there is no command "${word}"`, {
    hint: near === null ? 'edrlake --help lists the commands.' : `Did you mean: edrlake ${near}`,
  });
}

/** The parser's own words turned into ours. */
function usageError(message: string, command: CommandSpec): EdrlakeError {
  const hint = seeHelpOf(command);
  const valueless = /^Not enough arguments following: (.*)$/s.exec(message)?.[1];
  const name = FLAG_NAMES.find((candidate) => candidate === valueless);
  if (name === undefined) return new EdrlakeError('USAGE', message.split('\n')[0] ?? message, { hint });
  return new EdrlakeError('USAGE', `--${name}: expected ${flagNamed(name).expected}, found nothing`, { hint });
}

function unknownFlag(word: string, command: CommandSpec, seeHelp: string): EdrlakeError {
  if (didYouMean(word, CREDENTIAL_WORDS) !== null) {
    return new EdrlakeError('USAGE', `edrlake has no flag --${word}: others can see the command line`, {
      hint: 'Set EDRLAKE_USERNAME and EDRLAKE_PASSWORD, or EDRLAKE_PASSWORD_FILE, in the environment.',
    });
  }
  const near = didYouMean(word, [...acceptedFlags(command), 'help']);
  return new EdrlakeError('USAGE', `edrlake ${command.name} has no flag ${word.length === 1 ? '-' : '--'}${word}`, {
    hint: near === null ? seeHelp : `Did you mean --${near}? ${seeHelp}`,
  });
}

/** A flag without its value, which may be a secret. */
function flagPart(word: string): string {
  return word.split('=')[0] ?? word;
}
