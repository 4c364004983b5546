import type { FlagName, FlagValues } from './flags.ts';
import type { Surroundings } from './surroundings.ts';

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
}

/** Does the command's work and resolves to the exit code. Throws an `EdrlakeError` for what a person must know. */
export type RunCommand = (input: CommandInput, surroundings: Surroundings) => Promise<number>;

/** An argument without a flag; its name in lower case with dashes, as the parser wants it. */
export interface Positional {
  readonly name: string;
  readonly describe: string;
  readonly required: boolean;
  /** Any number of them may be given; only the last positional of a command. */
  readonly repeats?: boolean;
}

/** One command as help, completion and the parser know it; its code is loaded only when it runs. */
export interface CommandSpec {
  readonly name: string;
  readonly summary: string;
  /** More about it in its own help; paragraphs. */
  readonly details: readonly string[];
  readonly positionals: readonly Positional[];
  readonly flags: readonly FlagName[];
  /** Where a flag means something of its own here, or has another default. */
  readonly flagTexts?: Partial<Record<FlagName, FlagText>>;
  /** What a flag's value may be, where that takes more than a line. */
  readonly tables?: readonly HelpTable[];
  readonly examples: readonly Example[];
  /** false: only flags that were typed count, neither environment nor configuration. */
  readonly readsConfiguration: boolean;
  readonly load: () => Promise<{ readonly run: RunCommand }>;
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
}

/** A command line that can be typed as it stands, and what for, in a few words. */
export interface Example {
  readonly command: string;
  readonly purpose: string;
}
