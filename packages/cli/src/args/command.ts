import { EdrlakeError } from '@edrlake/core';
import type { Argv, CommandModule } from 'yargs';
import type { AccountSource, ProcessContext } from '../process/process-context.ts';
import { configKey, environmentName, type FlagName, type FlagValues, flagNamed } from './options.ts';

/** What a shell's completion script calls the program with, followed by the words typed so far. */
export const COMPLETE = '--complete';

/** What a command got: every setting resolved, its positional arguments by name. */
export interface CommandInput {
  readonly values: FlagValues;
  /** Positionals that were given; a required one is always there. */
  readonly positionals: Readonly<Record<string, string>>;
  /** All arguments without a flag, in order. */
  readonly words: readonly string[];
  /** Flags that were typed, as opposed to taken from the environment, the configuration or the defaults. */
  readonly typed: ReadonlySet<FlagName>;
  /** For which it works; absent: the settings name none. */
  readonly subscription?: Pick<Subscription, 'name' | 'pipeline'>;
}

/** A subscription of the configuration file, with every setting resolved for it. */
export interface Subscription {
  readonly name: string;
  /** Its pipeline, where `run` names none; null for none. */
  readonly pipeline: string | null;
  readonly values: FlagValues;
  readonly account: AccountSource;
}

/** Those that a command line chose. */
export interface Chosen {
  readonly subscriptions: readonly Subscription[];
  /** Whether one was named by its name. Its command then says what it says without subscriptions. */
  readonly isNamed: boolean;
}

/** What the settings say. */
export interface Settings {
  readonly values: FlagValues;
  /** null: none is chosen, and the settings are those of the command. */
  readonly chosen: Chosen | null;
}

/** A command at work for one of several subscriptions. */
export interface Turn {
  readonly input: CommandInput;
  readonly context: ProcessContext;
}

/** What a command does for several subscriptions at once, where that is not its own work for one after another. */
export type RunTogether = (turns: readonly Turn[], context: ProcessContext) => Promise<number>;

/** Does the command's work and resolves to the exit code. Throws an `EdrlakeError` for what a person must know. */
export type RunCommand = (input: CommandInput, context: ProcessContext) => Promise<number>;

/** One run of the program: yargs' parse context, which each handler finds among its arguments. */
export interface Invocation {
  readonly surroundings: ProcessContext;
  /** Set as soon as the command line was understood and the settings were read. */
  input: CommandInput | null;
  chosen: Chosen | null;
  /** Runs the command for the chosen subscriptions and resolves to its exit code. */
  readonly runFor: (work: SubscriptionWork, input: CommandInput, chosen: Chosen) => Promise<number>;
  /** Set by the handler. */
  exitCode: number;
}

/** What running a command for subscriptions needs to know of it. */
export interface SubscriptionWork extends Pick<CommandText, 'run' | 'together' | 'isElsewhere'> {
  readonly name: string;
  readonly flags: readonly FlagName[];
}

/** What the options are declared for. A help text shows the name of a value, and completion its few choices. */
export type Purpose = 'run' | 'help' | 'complete';

/** A command as yargs takes it. */
export interface Command extends CommandModule<object, { readonly invocation: Invocation }> {
  /** Name and positional arguments, such as `event <agent-id> <event-id>`. */
  readonly command: string;
  readonly describe: string;
  /** The flags that it takes; it refuses all others. */
  readonly flags: readonly FlagName[];
  /** Where a flag means something of its own here. */
  readonly flagTexts: FlagTexts;
  readonly examples: readonly Example[];
  /** @param width of a help text in cells */
  builder(yargs: Argv, purpose?: Purpose, width?: number): Argv<{ readonly invocation: Invocation }>;
}

/** A command as help, completion and the search for a name know it; its module is loaded only when it is asked for. */
export interface ListedCommand {
  /** One word, or two where several commands share the first, such as `publish delta`. */
  readonly name: string;
  /** As the module's own `describe`. */
  readonly describe: string;
  readonly load: () => Promise<{ readonly command: Command }>;
}

/** What one command says about itself. */
export interface CommandText {
  readonly command: string;
  readonly describe: string;
  /** More about it in its own help; paragraphs. */
  readonly details: readonly string[];
  readonly positionals?: Readonly<Record<string, Positional>>;
  readonly flags: readonly FlagName[];
  /** Where a flag means something of its own here, or has another default. */
  readonly flagTexts?: FlagTexts;
  /** What a flag's value may be, where that takes more than a line. */
  readonly tables?: readonly HelpTable[];
  readonly examples: readonly Example[];
  readonly run: RunCommand;
  /**
   * For several subscriptions. Absent: `run` for one after another. `never`: it stays, or writes what no second one can
   * write, so that it takes one.
   */
  readonly together?: RunTogether | 'never';
  /**
   * Whether the settings have others do the work. Then no account is needed here, and it is done for all subscriptions
   * at once. Absent: it never is.
   */
  readonly isElsewhere?: (values: FlagValues) => boolean;
}

/** An argument without a flag. */
export interface Positional {
  readonly describe: string;
  /** What completion offers; other values are taken as well. */
  readonly suggestions?: readonly string[];
}

/** A heading, words with their meaning, and a paragraph below. */
export interface HelpTable {
  readonly title: string;
  readonly rows: readonly (readonly [string, string])[];
  readonly text: string;
}

/** What a help text says about a flag; null as default says nothing. */
export interface FlagText {
  readonly describe: string;
  readonly defaultText: string | null;
  /** Those of its values that the command takes, where it does not take all of them. */
  readonly choices?: readonly string[];
  /** Where its value is of another kind. */
  readonly valueName?: string;
}

/** Of a command, by flag. Flags without an entry are as everywhere. */
export type FlagTexts = Partial<Readonly<Record<FlagName, FlagText>>>;

/** A command line that can be pasted, and its purpose in a few words. */
export interface Example {
  readonly command: string;
  readonly purpose: string;
}

/** The yargs module of a command. */
export function defineCommand(text: CommandText): Command {
  const { command, describe, flagTexts = {}, examples, run, together, isElsewhere } = text;
  const flags = withSubscription(text.flags);
  const work = {
    ...{ name: commandName(command), flags, run },
    ...(together && { together }),
    ...(isElsewhere && { isElsewhere }),
  };
  return {
    command,
    describe,
    flags,
    flagTexts,
    examples,
    builder(yargs, purpose = 'run', width = 80) {
      declarePositionals(yargs, text, purpose);
      for (const name of flags) declareFlag(yargs, name, purpose, flagTexts[name]);
      if (purpose === 'help') describeCommand(yargs, { ...text, flags }, width);
      return yargs as Argv<{ readonly invocation: Invocation }>;
    },
    async handler({ invocation }) {
      const { input, chosen, surroundings } = invocation;
      if (input === null) throw new EdrlakeError('BUG', 'expected the settings to be read before the command runs');
      surroundings.signal.throwIfAborted();
      invocation.exitCode = await (chosen === null ? run(input, surroundings) : invocation.runFor(work, input, chosen));
    },
  };
}

/** Commands that speak to an API or a lake, and read the file that has subscriptions, take them. */
function withSubscription(flags: readonly FlagName[]): readonly FlagName[] {
  const isFor = flags.includes('config') && (flags.includes('lake') || flags.includes('base-url'));
  return isFor ? flags.flatMap((flag) => (flag === 'config' ? ['subscription' as const, flag] : [flag])) : flags;
}

/** `publish delta` of `publish delta <folder>` */
export function commandName(command: string): string {
  return command.replace(/ [<[].*$/, '');
}

/** @returns the names of the positional arguments of a command line such as `event <agent-id> <event-id>` */
export function positionalNames(command: string): string[] {
  return [...command.matchAll(/[<[]([\w-]+)(?:\.\.)?[>\]]/g)].map(([, name = '']) => name);
}

function declarePositionals(yargs: Argv, { command, positionals }: CommandText, purpose: Purpose): void {
  for (const name of positionalNames(command)) {
    const { describe = '', suggestions = [] } = positionals?.[name] ?? {};
    if (purpose === 'help') yargs.positional(name, { describe });
    else if (purpose === 'complete') yargs.positional(name, { type: 'string', choices: suggestions });
    // A value that is a lone `-` would else be taken for the next flag.
    else yargs.positional(name, { type: 'string' }).nargs(name, 1);
  }
}

function declareFlag(yargs: Argv, name: FlagName, purpose: Purpose, text?: FlagText): void {
  const { group, valueName, choices, describe, defaultText } = { ...flagNamed(name), ...text };
  if (purpose === 'help') {
    // yargs has no word for the value of a flag; as a part of the name it is in the right column.
    yargs.option(valueName === null ? name : `${name} ${valueName}`, {
      group: `${group}:`,
      describe,
      ...(defaultText === null ? {} : { defaultDescription: defaultText }),
    });
    return;
  }
  // yargs lays out the help of a command that it has run, whether or not it is shown. Hidden flags cost nothing there.
  const hidden = purpose === 'run';
  if (valueName === null) yargs.option(name, { type: 'boolean', hidden });
  else if (purpose === 'complete') yargs.option(name, { type: 'string', ...(choices.length > 0 ? { choices } : {}) });
  else yargs.option(name, { type: 'string', nargs: 1, hidden });
}

function describeCommand(yargs: Argv, text: CommandText, width: number): void {
  const { command, describe, details, flags, tables = [], examples } = text;
  yargs.usage([`Usage: $0 ${command} [flags]`, describe, ...details].join('\n\n'));
  for (const line of exampleLines(examples, width)) yargs.example(line, '');
  const paragraphs = [
    ...tables.map(({ title, rows, text: below }) =>
      [`${title}:`, ...rows.map(([form, meaning]) => `  ${form}\t  ${meaning}`), '', below].join('\n'),
    ),
    ...(flags.includes('config') ? [settingsSentence(flags)] : []),
    ...(flags.includes('base-url') && flags.includes('config')
      ? [
          'The account comes from EDRLAKE_USERNAME and EDRLAKE_PASSWORD (or EDRLAKE_PASSWORD_FILE), of an OAuth client from EDRLAKE_CLIENT_ID and EDRLAKE_CLIENT_SECRET_FILE; a proxy from HTTPS_PROXY and NO_PROXY.',
        ]
      : []),
  ];
  // A worker stays, for all of them.
  const isTogether = flags.includes('slots');
  if (flags.includes('subscription')) paragraphs.push(isTogether ? TOGETHER_TEXT : SUBSCRIPTION_TEXT);
  if (paragraphs.length > 0) yargs.epilogue(paragraphs.join('\n\n'));
}

const SUBSCRIPTION_TEXT =
  'With --subscription all or a pattern the command runs for one subscription after another; one that fails does not stop the others. The exit code is that of the worst, from worst to best: 130, 5, 4, 1, 2, 6, 3, 0.';

const TOGETHER_TEXT = 'With --subscription all or a pattern the command is for all of them at once.';

function settingsSentence(flags: readonly FlagName[]): string {
  const name = flags.find((flag) => flag.includes('-') && flag !== 'log-level') ?? 'log-level';
  return `Each flag is also an environment variable and a key in edrlake.config.ts: --${name} is ${environmentName(name)} and ${configKey(name)}.`;
}

/** Each example with its purpose beside it where all fit so, otherwise with the purpose above it. */
function exampleLines(examples: readonly Example[], width: number): string[] {
  const commandWidth = Math.max(...examples.map(({ command }) => command.length));
  const fits = examples.every(({ purpose }) => commandWidth + purpose.length + 8 <= width);
  return examples.flatMap(({ command, purpose }) =>
    fits ? [`${command.padEnd(commandWidth)}  # ${purpose}`] : [`# ${purpose}`, command],
  );
}
