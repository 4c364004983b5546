import { accessSync } from 'node:fs';
import { delimiter, join } from 'node:path';

/** How a user starts this command. */
export type ProgramName = 'edrlake' | 'npx edrlake';

/**
 * A command in a message for a user: the program and one of its commands, not the prefix of an error (`edrlake run:
 * …`).
 */
const COMMAND =
  /(?<!npx |[\w./@-])edrlake(?= (?:demo|init|doctor|plan|backfill|sync|status|query|export|schema|connect|sql|count|event|tree|enrich|drift|promote|demote|hunt|index|reconcile|gate|verify|publish|compact|migrate|vacuum|deduplicate|rebuild-log|run|runs|requests|schedule|worker|serve|simulate|completion|--help)(?![\w:-]))/g;

/**
 * `edrlake` where the shell finds it, else `npx edrlake`. The `node_modules/.bin` folders that npm adds to the path of
 * a script do not count: the shell of the user does not have them.
 */
export function programName(env: Readonly<Record<string, string | undefined>>): ProgramName {
  const folders = (env.PATH ?? '').split(delimiter);
  const isFound = folders.some(
    (folder) => !/(?:^$|node_modules[\\/]\.bin[\\/]?$)/.test(folder) && holdsProgram(folder),
  );
  return isFound ? 'edrlake' : 'npx edrlake';
}

/** Commands with a configuration: of those that a message names, all that take `--subscription`, and `--lake`. */
const CONFIGURED = String.raw`((?<![\w./@-])edrlake (?:publish (?:delta|iceberg|ducklake|ocsf)|(?!(?:demo|init|schema|simulate|completion|publish)(?![\w-]))[a-z][a-z-]*))(?![\w:-])`;
/** The rest of a command's line, also where it was wrapped before a flag. */
const REST = String.raw`(?:.|\n(?= *--))*`;
/**
 * The argument of a command that takes one, such as `nightly`: in quotes, or a word with which the command ends or
 * after which a flag follows. Any other word goes on with a sentence, which may have been wrapped behind it.
 */
const ARGUMENT = String.raw`( (?:"[^"\n]*"|'[^'\n]*'|[\w./~@…-]*[\w/…](?=$|\n(?= *(?:$|\n|(?:npx )?edrlake ))| --|[.,;:)](?:\s|$))))?`;
const TAKING_ARGUMENT = /^edrlake (?:query|export|event|tree|promote|demote|hunt|run|runs|schedule)$/;
const FOR_SUBSCRIPTION = new RegExp(`${CONFIGURED}(?!${REST}--subscription)${ARGUMENT}`, 'g');
const ON_LAKE = new RegExp(`${CONFIGURED}(?! --help)(?!${REST}--lake)${ARGUMENT}`, 'g');

/**
 * The text with each command for one subscription, unless its line says for which it is. Before `withProgramName`.
 * @param name undefined: of no subscription
 */
export function withSubscription(text: string, name: string | undefined): string {
  if (name === undefined) return text;
  return text.replaceAll(FOR_SUBSCRIPTION, (_, command: string, argument?: string) =>
    withFlags(command, argument, ` --subscription ${name}`),
  );
}

/**
 * The text with each command for the lake that was typed, unless its line names one. Before `withProgramName`.
 * @param flags ` --lake DIR --dataset NAME` as far as they were typed; empty: the settings name the lake
 */
function withLakeFlags(text: string, flags: string): string {
  if (flags === '') return text;
  return text.replaceAll(ON_LAKE, (_, command: string, argument?: string) => withFlags(command, argument, flags));
}

/** Words such as `edrlake may` are no command. */
function withFlags(command: string, argument = '', flags: string): string {
  if (withProgramName(`${command} `, 'npx edrlake') === `${command} `) return command + argument;
  return TAKING_ARGUMENT.test(command) ? command + argument + flags : command + flags + argument;
}

/** Who the commands of a message are for. */
export interface Pasting {
  readonly program: ProgramName;
  /** The subscription that the command works for; absent: none. */
  readonly subscription?: string | undefined;
  /** ` --lake DIR --dataset NAME` as far as they were typed. */
  readonly lakeFlags?: string | undefined;
}

/** The text with each command for the same subscription and lake, as the user can paste it. */
export function asPasted(text: string, { program, subscription, lakeFlags = '' }: Pasting): string {
  return withProgramName(withLakeFlags(withSubscription(text, subscription), lakeFlags), program);
}

/** The text with each command as the user can paste it. */
export function withProgramName(text: string, program: ProgramName): string {
  return program === 'edrlake' ? text : text.replaceAll(COMMAND, program);
}

function holdsProgram(folder: string): boolean {
  try {
    accessSync(join(folder, 'edrlake'));
    return true;
  } catch {
    return false;
  }
}
