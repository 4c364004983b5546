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

/** Commands that take `--subscription`: of those that a message names, all but the ones without a configuration. */
const FOR_SUBSCRIPTION =
  /((?<![\w./@-])edrlake (?:publish (?:delta|iceberg|ducklake|ocsf)|(?!demo|init|schema|simulate|completion|publish)[a-z][a-z-]*))(?![\w:-])(?!.*--subscription)/g;

/**
 * The text with each command for one subscription, unless its line says for which it is. Before `withProgramName`.
 * @param name undefined: of no subscription
 */
export function withSubscription(text: string, name: string | undefined): string {
  if (name === undefined) return text;
  return text.replaceAll(FOR_SUBSCRIPTION, (command: string) =>
    withProgramName(`${command} `, 'npx edrlake') !== `${command} ` ? `${command} --subscription ${name}` : command,
  );
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
