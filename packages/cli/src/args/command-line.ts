import { didYouMean, EdrlakeError } from '@edrlake/core';
import yargs, { type Argv } from 'yargs';
import {
  type Command,
  type CommandInput,
  commandName,
  type FlagTexts,
  type Invocation,
  type ListedCommand,
  type Purpose,
  positionalNames,
  type Settings,
} from './command.ts';
import { CREDENTIAL_FLAGS, CREDENTIAL_HINT } from './credential-names.ts';
import { wordsText } from './flags/flag-kinds.ts';
import { FLAG_NAMES, type FlagName, flagNamed } from './options.ts';

const WIDEST = 110;

const PARSING = {
  'camel-case-expansion': false,
  'boolean-negation': false,
  'dot-notation': false,
  'parse-numbers': false,
  'parse-positional-numbers': false,
  'greedy-arrays': false,
  'short-option-groups': false,
} as const;

/** Texts of the command line, by flag. */
export type TypedTexts = ReadonlyMap<FlagName, readonly string[]>;

/**
 * Runs the command of a command line. Its module alone is loaded.
 * @param readSettings called with the typed flags, the flags that the command takes and what it says about them, once
 * the command line is known to be right
 * @returns the exit code
 * @throws {EdrlakeError} `USAGE` for an unknown command or flag, a missing value or argument; with the nearest name
 */
export async function runCommandLine(
  args: readonly string[],
  commands: readonly ListedCommand[],
  invocation: Invocation,
  readSettings: (typed: TypedTexts, flags: readonly FlagName[], flagTexts: FlagTexts) => Promise<Settings>,
): Promise<number> {
  const { listed, rest } = listedCommand(args, commands);
  const { command } = await listed.load();
  const words = [oneWord(listed.name), ...rest];
  let isUnderstood = false;
  const parser = commandParser(words, command, 'run')
    .fail(false)
    .strict()
    .middleware(async (argv) => {
      isUnderstood = true;
      const typed = typedTexts(argv, command);
      const { values, chosen } = await readSettings(typed, command.flags, command.flagTexts);
      invocation.chosen = chosen;
      invocation.input = {
        values,
        typed: new Set(typed.keys()),
        ...wordsOf(argv, command),
      };
    });
  try {
    await parser.parseAsync(words, { invocation });
  } catch (error) {
    // What fails after that is the work of the command, whose errors may look as those of yargs.
    throw !isUnderstood && isYargsError(error) ? usageError(error.message, command, args) : error;
  }
  return invocation.exitCode;
}

/**
 * The help of a command, of those that share a first word, or of the program. Ends with a line break.
 * @param name words typed; those behind the name of a command are ignored
 */
export async function helpText(
  name: string | undefined,
  commands: readonly ListedCommand[],
  width: number,
): Promise<string> {
  const words = name?.split(' ') ?? [];
  const listed = commandOf(words, commands);
  if (listed !== undefined) {
    const { command } = await listed.load();
    return `${apart(await commandParser([oneWord(listed.name)], command, 'help', width).getHelp())}\n`;
  }
  const sharing = groupOf(words[0], commands);
  if (sharing.length > 0) {
    const group = emptyParser([], width).scriptName('');
    for (const command of sharing) group.command(command.name, command.describe);
    const word = words[0] ?? '';
    group
      .usage(`Usage: edrlake ${word} <${sharing.map((command) => command.name.split(' ')[1]).join('|')}> [flags]`)
      .option('help', { alias: 'h', describe: 'This help, or that of one of them' });
    return `${await group.getHelp()}\n`;
  }
  // With an empty name of the program, yargs lists the commands without a prefix.
  const program = emptyParser([], width).scriptName('');
  for (const command of commands) program.command(command.name, command.describe);
  program
    .usage(
      'edrlake: export Qualys EDR events into a Parquet lake and prove them complete\n\nUsage: edrlake <command> [flags]',
    )
    .option('help', { alias: 'h', describe: 'This help, or that of a command' })
    .option('version', { describe: 'The version' })
    .epilogue(
      [
        'Start with:',
        '  edrlake demo\t  see it work, with nothing to set up',
        '  edrlake init\t  write a configuration for your account',
        '  edrlake <command> --help\t  flags and examples of a command',
      ].join('\n'),
    );
  return `${await program.getHelp()}\n`;
}

/**
 * What may complete the last of the words typed after `edrlake`: commands, flags of the command, values where there are
 * few. Empty where only a file name or a person's own value fits. Bash divides words at `=`, and gets values alone.
 */
export async function completionWords(typed: readonly string[], commands: readonly ListedCommand[]): Promise<string[]> {
  const words = withoutEquals(typed);
  const [, flag, value] = /^(--[a-z-]+)=(.*)$/s.exec(words.at(-1) ?? '') ?? [];
  if (flag === undefined || value === undefined) return offeredWords(words, commands);
  const values = await offeredWords([...words.slice(0, -1), flag, value], commands);
  return values.map((word) => `${flag}=${word}`);
}

/** Without the signs between a flag and its value, where they are words of their own. */
function withoutEquals(words: readonly string[]): readonly string[] {
  const isSign = (at: number) => words[at] === '=' && words[at - 1]?.startsWith('--') === true;
  const kept = words.filter((_, at) => !isSign(at));
  return isSign(words.length - 1) ? [...kept, ''] : kept;
}

async function offeredWords(words: readonly string[], commands: readonly ListedCommand[]): Promise<string[]> {
  const current = words.at(-1) ?? '';
  const before = words.slice(0, -1);
  // Behind it words are no flags.
  if (before.includes('--')) return [];
  const isNamed = before[0] === 'help';
  const named = isNamed ? before.slice(1) : before;
  const names = isNamed && named.length === 0 ? commands.map(firstWord) : secondWords(named, commands);
  if (isNamed || names.length > 0) return [...new Set(names)].filter((name) => name.startsWith(current));
  const previous = FLAG_NAMES.map(flagNamed)[FLAG_NAMES.findIndex((name) => `--${name}` === before.at(-1))];
  // Left to the shell, which knows files.
  if (previous !== undefined && previous.valueName !== null && previous.choices.length === 0) return [];
  const listed = commandOf(before, commands);
  const behind = listed === undefined ? before : [oneWord(listed.name), ...before.slice(listed.name.split(' ').length)];
  const args = ['--get-yargs-completions', 'edrlake', ...behind.filter((word) => !isRepeatable(word)), current];
  const parser =
    listed === undefined ? emptyParser(args) : commandParser(args, (await listed.load()).command, 'complete');
  parser.option('help', { type: 'boolean' });
  if (listed === undefined) {
    parser.option('version', { type: 'boolean' });
    for (const name of new Set([...commands.map(firstWord), 'help'])) parser.command(name, '');
  }
  let found = '';
  // The first of two calls, with nothing in it, is for a parse of the words alone.
  await parser.parseAsync(args, {}, (_error: unknown, _argv: unknown, output: string) => {
    found = output;
  });
  // Where $SHELL is zsh or fish yargs writes the description of a word behind it; our scripts take words alone.
  const candidates = found.split('\n').map((line) => line.split(/[:\t]/)[0] ?? '');
  return candidates.filter((word) => word !== '' && word.startsWith(current));
}

/** The help with a line for each default that yargs has put right behind a text. */
function apart(help: string): string {
  return help.replace(/^(.*\S)(\[default [^\]]*\])$/gm, (line, text: string, found: string) => {
    return `${text}\n${found.padStart(line.length)}`;
  });
}

/** What may follow the first word of commands that share it. */
function secondWords(before: readonly string[], commands: readonly ListedCommand[]): readonly string[] {
  return before.length === 1 ? groupOf(before[0], commands).map(({ name }) => name.split(' ')[1] ?? '') : [];
}

/** yargs does not offer a flag twice. */
function isRepeatable(word: string): boolean {
  return FLAG_NAMES.some((name) => word === `--${name}` && flagNamed(name).repeats);
}

function emptyParser(args: readonly string[], width = 80): Argv {
  return yargs([...args])
    .scriptName('edrlake')
    .parserConfiguration(PARSING)
    .exitProcess(false)
    .help(false)
    .version(false)
    .detectLocale(false)
    .wrap(Math.min(width, WIDEST))
    .updateStrings({ 'Positionals:': 'Arguments:', 'Options:': 'Flags:', 'default:': 'default' });
}

function commandParser(args: readonly string[], command: Command, purpose: Purpose, width = 80): Argv {
  const { builder } = command;
  return emptyParser(args, width).command({
    ...command,
    // yargs would show its type and default of an argument that may be repeated; the usage says both.
    command: oneWord(commandName(command.command)) + argumentsOf(command.command, purpose),
    builder: (inner: Argv) => builder(inner, purpose, Math.min(width, WIDEST)),
  });
}

/** yargs' names of commands have no blanks. */
function oneWord(name: string): string {
  return name.replaceAll(' ', '-');
}

function argumentsOf(command: string, purpose: Purpose): string {
  const given = command.slice(commandName(command).length);
  return purpose === 'help' ? given.replaceAll('..]', ']') : given;
}

function firstWord({ name }: ListedCommand): string {
  return name.split(' ')[0] ?? name;
}

/** The command whose name the words begin with. */
function commandOf(words: readonly string[], commands: readonly ListedCommand[]): ListedCommand | undefined {
  return commands.find(({ name }) => name === words.slice(0, name.split(' ').length).join(' '));
}

/** The commands of two words that begin with a word. */
function groupOf(word: string | undefined, commands: readonly ListedCommand[]): readonly ListedCommand[] {
  return commands.filter((command) => command.name.includes(' ') && firstWord(command) === word);
}

function listedCommand(
  args: readonly string[],
  commands: readonly ListedCommand[],
): { readonly listed: ListedCommand; readonly rest: readonly string[] } {
  const [word, second] = args;
  if (word === undefined) {
    throw new EdrlakeError('USAGE', 'expected a command', {
      hint: 'edrlake --help lists them; edrlake demo shows all.',
    });
  }
  const listed = commandOf(args, commands);
  if (listed !== undefined) return { listed, rest: args.slice(listed.name.split(' ').length) };
  const sharing = groupOf(word, commands).map(({ name }) => name.split(' ')[1] ?? '');
  if (sharing.length > 0) {
    const found = second === undefined || second.startsWith('-') ? 'nothing' : `"${second}"`;
    const near = found === 'nothing' ? null : didYouMean(second ?? '', sharing);
    throw new EdrlakeError('USAGE', `edrlake ${word}: expected ${wordsText(sharing)}, found ${found}`, {
      hint: near === null ? `See: edrlake ${word} --help` : `Did you mean: edrlake ${word} ${near}`,
    });
  }
  if (word.startsWith('-')) {
    // Without its value, which may be a secret.
    throw new EdrlakeError('USAGE', `expected a command before ${word.split('=')[0] ?? word}`, {
      hint: 'edrlake --help lists the commands.',
    });
  }
  const near = didYouMean(word, commands.map(firstWord));
  throw new EdrlakeError('USAGE', `there is no command "${word}"`, {
    hint: near === null ? 'edrlake --help lists the commands.' : `Did you mean: edrlake ${near}`,
  });
}

/** Texts stay texts: their meaning is read where environment and configuration are, by the same rules. */
function typedTexts(argv: Readonly<Record<string, unknown>>, { flags }: Command): TypedTexts {
  const texts = new Map<FlagName, readonly string[]>();
  for (const name of flags) {
    const value = argv[name];
    if (value !== undefined) texts.set(name, Array.isArray(value) ? value.map(String) : [String(value)]);
  }
  return texts;
}

/**
 * The arguments without a flag. yargs leaves those behind `--` in `_`, after the name of the command, and looks neither
 * at their names nor at their number.
 * @throws {EdrlakeError} `USAGE` for one too many
 */
function wordsOf(
  argv: Readonly<Record<string, unknown>>,
  { command }: Command,
): Pick<CommandInput, 'positionals' | 'words'> {
  const names = positionalNames(command);
  const rest = [argv._].flat().slice(1);
  const words = [...names.map((name) => argv[name] ?? []), rest].flat().map(String);
  const unexpected = words[names.length];
  if (unexpected !== undefined && !command.endsWith('..]')) {
    throw unexpectedWord(unexpected, commandName(command));
  }
  const positionals = names.flatMap((name, index) => {
    const word = words[index];
    return word === undefined ? [] : [[name, word] as const];
  });
  return { positionals: Object.fromEntries(positionals), words };
}

function unexpectedWord(word: string, name: string): EdrlakeError {
  return new EdrlakeError('USAGE', `edrlake ${name} does not take the argument "${word}"`, {
    hint: `See: edrlake ${name} --help`,
  });
}

function isYargsError(error: unknown): error is Error {
  return error instanceof Error && (error.name === 'YError' || error.constructor === Error);
}

/** What yargs says about a command line, in the form of all our errors. */
function usageError(message: string, command: Command, args: readonly string[]): EdrlakeError {
  const name = commandName(command.command);
  const hint = `See: edrlake ${name} --help`;
  const part = (pattern: RegExp) => pattern.exec(message)?.[1];
  const valueless = FLAG_NAMES.find((flag) => flag === part(/^Not enough arguments following: (.*)$/s));
  if (valueless !== undefined) {
    const { choices } = command.flagTexts[valueless] ?? {};
    const expected = choices === undefined ? flagNamed(valueless).expected : wordsText(choices);
    return new EdrlakeError('USAGE', `--${valueless}: expected ${expected}, found nothing`, { hint });
  }
  if (message.startsWith('Not enough non-option arguments')) {
    const wanted = command.command.slice(name.length).trim().split(' ').join(' and ');
    return new EdrlakeError('USAGE', `edrlake ${name}: expected ${wanted}`, { hint });
  }
  const unknown = part(/^Unknown arguments?: ([^,]*)/);
  if (unknown === undefined) return new EdrlakeError('USAGE', message.split('\n')[0] ?? message, { hint });
  const typed = args.find((arg) => /^-/.test(arg) && arg.replace(/^-+/, '').split('=')[0] === unknown);
  if (typed === undefined) return unexpectedWord(unknown, name);
  return unknownFlag(unknown, command, hint);
}

function unknownFlag(word: string, { command, flags }: Command, seeHelp: string): EdrlakeError {
  if (didYouMean(word, CREDENTIAL_FLAGS) !== null) {
    return new EdrlakeError('USAGE', `edrlake has no flag --${word}: others can see the command line`, {
      hint: CREDENTIAL_HINT,
    });
  }
  const name = commandName(command);
  const near = didYouMean(word, [...flags, 'help']);
  return new EdrlakeError('USAGE', `edrlake ${name} has no flag ${word.length === 1 ? '-' : '--'}${word}`, {
    hint: near === null ? seeHelp : `Did you mean --${near}? ${seeHelp}`,
  });
}
