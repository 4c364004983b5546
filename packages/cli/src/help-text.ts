import type { CommandSpec, Positional } from './command.ts';
import { COMMANDS } from './command-list.ts';
import type { FlagGroup } from './flag-values.ts';
import { environmentName, type FlagName, flagNamed } from './flags.ts';
import { padEnd, wrapWords } from './text-layout.ts';

const WIDEST = 110;
const INDENT = '  ';
const GROUP_ORDER: readonly FlagGroup[] = [
  'Simulated data',
  'Range',
  'Sync',
  'Run',
  'Result',
  'Gateway',
  'Lake',
  'Output',
];

/** The help of the program: what it is and its commands. */
export function programHelp(width: number): string {
  const rows = COMMANDS.map((command) => [command.name, command.summary] as const);
  return [
    'edrlake: export Qualys EDR events into a Parquet lake and prove them complete',
    '',
    'Usage: edrlake <command> [flags]',
    '',
    'Commands:',
    ...definitionLines(rows, width),
    '',
    'Flags:',
    ...definitionLines(
      [
        ['-h, --help', 'This help, or that of a command'],
        ['--version', 'The version'],
      ],
      width,
    ),
    '',
    'Start with:',
    ...definitionLines(
      [
        ['edrlake demo', 'see it work, with nothing to set up'],
        ['edrlake init', 'write a configuration for your account'],
        ['edrlake <command> --help', 'flags and examples of a command'],
      ],
      width,
    ),
    '',
  ].join('\n');
}

/** The help of one command: usage, flags by group, examples. */
export function commandHelp(command: CommandSpec, width: number): string {
  const textWidth = Math.min(width, WIDEST);
  const usage = ['edrlake', command.name, ...command.positionals.map(positionalText), '[flags]'].join(' ');
  const lines = [`${command.summary}`, '', `Usage: ${usage}`];
  for (const paragraph of command.details) lines.push('', ...wrapWords(paragraph, textWidth));
  if (command.positionals.length > 0) {
    const rows = command.positionals.map(({ name, describe }) => [argumentName(name), describe] as const);
    lines.push('', 'Arguments:', ...definitionLines(rows, width));
  }
  const nameWidth = Math.max(...command.flags.map((name) => flagUsage(name).length));
  for (const group of GROUP_ORDER) {
    const names = command.flags.filter((name) => flagNamed(name).group === group);
    if (names.length === 0) continue;
    const rows = names.map((name) => [flagUsage(name), flagDescription(name, command)] as const);
    lines.push('', `${group}:`, ...definitionLines(rows, width, nameWidth));
  }
  for (const { title, rows, text } of command.tables ?? []) {
    const below = wrapWords(text, textWidth - INDENT.length).map((line) => `${INDENT}${line}`);
    lines.push('', `${title}:`, ...definitionLines(rows, width, nameWidth), '', ...below);
  }
  lines.push('', 'Examples:', ...exampleLines(command, width));
  if (command.readsConfiguration) {
    const variable = environmentName(command.flags.includes('lake') ? 'lake' : 'json');
    lines.push(
      '',
      ...wrapWords(
        `Each flag is also an environment variable (${variable}) and a key in edrlake.config.ts. Flags of the gateway, the lake and the output may be given to every command.`,
        textWidth,
      ),
    );
  }
  if (command.flags.includes('base-url') && command.name !== 'init') {
    lines.push(
      ...wrapWords(
        'The account comes from EDRLAKE_USERNAME and EDRLAKE_PASSWORD (or EDRLAKE_PASSWORD_FILE), a proxy from HTTPS_PROXY and NO_PROXY.',
        textWidth,
      ),
    );
  }
  return `${lines.join('\n')}\n`;
}

function positionalText({ name, required, repeats }: Positional): string {
  const text = `${argumentName(name)}${repeats === true ? '…' : ''}`;
  return required ? text : `[${text}]`;
}

/** `AGENT_ID`, in the usage line and in the list below it. */
function argumentName(name: string): string {
  return name.toUpperCase().replaceAll('-', '_');
}

function flagUsage(name: FlagName): string {
  const { valueName } = flagNamed(name);
  return valueName === null ? `--${name}` : `--${name} ${valueName}`;
}

const NO_BREAK_SPACE = '\u00a0';

function flagDescription(name: FlagName, command: CommandSpec): string {
  const { describe, defaultText } = command.flagTexts?.[name] ?? flagNamed(name);
  if (defaultText === null) return describe;
  // Kept in one piece where lines are broken.
  return `${describe} ${`(default ${defaultText})`.replaceAll(' ', NO_BREAK_SPACE)}`;
}

/** Names in a column, descriptions beside them; a description that does not fit goes on below itself. */
function definitionLines(rows: readonly (readonly [string, string])[], width: number, leastNameWidth = 0): string[] {
  const nameWidth = Math.max(leastNameWidth, ...rows.map(([name]) => name.length));
  const descriptionWidth = Math.max(24, Math.min(width, WIDEST) - INDENT.length * 2 - nameWidth);
  return rows.flatMap(([name, description]) =>
    wrapWords(description, descriptionWidth).map(
      (line, index) =>
        `${INDENT}${padEnd(index === 0 ? name : '', nameWidth)}${INDENT}${line.replaceAll(NO_BREAK_SPACE, ' ')}`,
    ),
  );
}

/** Each example with its purpose beside it where all fit so, otherwise with the purpose above it. */
function exampleLines(command: CommandSpec, width: number): string[] {
  const commandWidth = Math.max(...command.examples.map((example) => example.command.length));
  const fits = command.examples.every(({ purpose }) => commandWidth + purpose.length + 6 <= width);
  return command.examples.flatMap((example) =>
    fits
      ? [`${INDENT}${padEnd(example.command, commandWidth)}${INDENT}# ${example.purpose}`]
      : [`${INDENT}# ${example.purpose}`, `${INDENT}${example.command}`],
  );
}
