import { COMMANDS, commandNamed } from './command-list.ts';
import { flagNamed } from './flags.ts';

/**
 * What may complete the last of the words typed after `edrlake`: commands, flags of the command, values where there are
 * few. Empty where only a file name or a person's own value fits.
 */
export function completionWords(words: readonly string[]): string[] {
  const current = words.at(-1) ?? '';
  const command = commandNamed(words[0] ?? '');
  if (words.length < 2 || command === null) {
    const names = [...COMMANDS.map(({ name }) => name), 'help'];
    return names.filter((name) => name.startsWith(current));
  }
  const previous = command.flags.find((name) => `--${name}` === words.at(-2));
  if (previous !== undefined && flagNamed(previous).valueName !== null) {
    return flagNamed(previous).choices.filter((choice) => choice.startsWith(current));
  }
  if (command.name === 'completion' && !current.startsWith('-')) {
    return ['bash', 'zsh'].filter((shell) => shell.startsWith(current));
  }
  if ((command.name === 'run' || command.name === 'schedule') && !current.startsWith('-')) {
    return ['nightly', 'backfill'].filter((pipeline) => pipeline.startsWith(current));
  }
  if (current !== '' && !current.startsWith('-')) return [];
  const unused = command.flags.filter((name) => flagNamed(name).repeats || !words.slice(0, -1).includes(`--${name}`));
  return [...unused.map((name) => `--${name}`), '--help'].filter((flag) => flag.startsWith(current));
}
