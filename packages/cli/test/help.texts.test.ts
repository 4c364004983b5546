// Contract: the help of each command fits its width, is taken from the module that runs, and names the flags that the
// command takes; flags of other commands are refused; the reference of the command line is what help prints.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type Command, commandName } from '../src/args/command.ts';
import { helpText } from '../src/args/command-line.ts';
import { FLAG_NAMES, flagNamed } from '../src/args/options.ts';
import { COMMANDS } from '../src/commands.ts';
import { DEMO_QUERIES } from '../src/demo/demo-queries.ts';
import { runProgram } from '../src/program.ts';
import { displayWidth } from '../src/text/text-width.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

const modules = new Map<string, Command>();
for (const { name, load } of COMMANDS) modules.set(name, (await load()).command);
const names = [...modules.keys()];

const TOP = fileURLToPath(new URL('../../../', import.meta.url));

const REFERENCE_BEGINNING = `# Command line

<!-- Generated from the help texts of the commands by \`npm run docs\`; a test fails when it is out of date. -->

What \`edrlake --help\` and \`edrlake COMMAND --help\` print. Error codes are explained in [errors.md](errors.md).`;

function moduleOf(name: string): Command {
  const command = modules.get(name);
  if (command === undefined) throw new Error(`no command ${name}`);
  return command;
}

async function refusal(args: readonly string[]): Promise<string> {
  const context = fakeSurroundings();
  expect(await runProgram(args, context)).toBe(2);
  expect(context.stdout.text).toBe('');
  return context.stderr.text.replaceAll('\n', ' ');
}

/** What a command line that ends with `--help` prints. */
async function printedHelp(args: readonly string[]): Promise<string> {
  const context = fakeSurroundings();
  expect(await runProgram([...args, '--help'], context)).toBe(0);
  expect(context.stderr.text).toBe('');
  return context.stdout.text.trimEnd();
}

describe('help texts', () => {
  // When this fails: npm run docs
  it('are the reference of the command line, which names every command', async () => {
    // One file a command; `publish-delta.ts` is `publish delta`.
    const files = readdirSync(`${TOP}packages/cli/src/commands`).filter((name) => name.endsWith('.ts'));
    const commands = files.map((name) => name.slice(0, -'.ts'.length).replace(/^publish-/, 'publish ')).sort();
    const overview = await printedHelp([]);
    const sections = [`## edrlake\n\n\`\`\`text\n${overview}\n\`\`\``];
    for (const command of commands) {
      expect(overview).toMatch(new RegExp(`^ +(?:edrlake )?${command} `, 'm'));
      sections.push(`## edrlake ${command}\n\n\`\`\`text\n${await printedHelp(command.split(' '))}\n\`\`\``);
    }
    const reference = `${[REFERENCE_BEGINNING, ...sections].join('\n\n')}\n`;
    await expect(reference).toMatchFileSnapshot(`${TOP}docs/cli-reference.md`);
  });

  it.each([80, 120])('fit %i columns', async (width) => {
    for (const name of [undefined, ...names]) {
      for (const line of (await helpText(name, COMMANDS, width)).split('\n')) {
        expect(displayWidth(line), line).toBeLessThanOrEqual(width);
      }
    }
  });

  it.each(names)('of %s says nothing of the types and defaults inside the parser', async (name) => {
    expect(await helpText(name, COMMANDS, 80)).not.toMatch(/\[(array|string|boolean|count)\]|\[default \[/);
  });

  it('have a demo whose statements fit 80 columns, indented by two', () => {
    for (const { sql } of DEMO_QUERIES)
      for (const line of sql.split('\n')) expect(displayWidth(line), line).toBeLessThanOrEqual(78);
  });

  it.each(names)('of %s has two or three examples, each in one piece and with flags of the command', async (name) => {
    const { examples, flags } = moduleOf(name);
    const text = await helpText(name, COMMANDS, 80);
    expect(examples.length).toBeGreaterThanOrEqual(2);
    expect(examples.length).toBeLessThanOrEqual(3);
    for (const { command, purpose } of examples) {
      expect(command).toMatch(new RegExp(`^edrlake ${name}\\b`));
      expect(text).toContain(`\n  ${command}`);
      expect(text).toContain(`# ${purpose}`);
      for (const [, flag] of command.matchAll(/ --([a-z-]+)/g)) expect(flags, command).toContain(flag);
    }
  });

  it.each(names)('of %s shows the flags that it takes, and no other', async (name) => {
    const text = await helpText(name, COMMANDS, 80);
    const shown = [...text.matchAll(/^ {2}--([a-z-]+)/gm)].map(([, flag]) => flag);
    expect(shown.toSorted()).toEqual([...moduleOf(name).flags].sort());
    for (const flag of moduleOf(name).flags) {
      const { valueName } = { ...flagNamed(flag), ...moduleOf(name).flagTexts[flag] };
      if (valueName !== null) expect(text).toContain(`--${flag} ${valueName}`);
    }
  });

  it('say of each command in the list what its module says', async () => {
    for (const { name, describe: listed } of COMMANDS) {
      expect(moduleOf(name)).toMatchObject({ describe: listed });
      expect(commandName(moduleOf(name).command)).toBe(name);
    }
  });
});

describe('the flags of a command', () => {
  it.each(names)('%s: each in its help is accepted', async (name) => {
    const words = [...moduleOf(name).command.matchAll(/<[\w-]+>/g)].map(([word]) => word);
    // What is refused is only the last flag.
    const all = moduleOf(name).flags.filter((flag) => flag !== 'json');
    const given = all.map((flag) => (flagNamed(flag).valueName === null ? `--${flag}` : `--${flag}=x`));
    expect(await refusal([...name.split(' '), ...words, ...given, '--nope'])).toContain(
      `edrlake ${name} has no flag --nope`,
    );
  });

  it.each(FLAG_NAMES.filter((flag) => flag !== 'json' && flag !== 'log-level'))(
    '--%s is refused where it means nothing, with what to do',
    async (flag) => {
      const others = names.filter(
        (name) => !moduleOf(name).flags.includes(flag) && !moduleOf(name).command.includes('<'),
      );
      expect(others).not.toEqual([]);
      for (const name of [others[0] ?? '', others.at(-1) ?? '']) {
        const said = await refusal([...name.split(' '), `--${flag}`]);
        expect(said).toContain(`edrlake ${name} has no flag --${flag} [USAGE]`);
        expect(said).toContain(`See: npx edrlake ${name} --help`);
      }
    },
  );

  it('are suggested where one is nearly right', async () => {
    expect(await refusal(['status', '--max-ag', '1h'])).toContain('Did you mean --max-age?');
    expect(await refusal(['sync', '--lokback', '1h'])).toContain('Did you mean --look-back?');
  });

  it('are all that README uses', () => {
    const readme = readFileSync(`${TOP}README.md`, 'utf8');
    const lines = readme.replaceAll('\\\n', ' ').split('\n');
    const used = lines.flatMap((line) => [...line.matchAll(/\bedrlake ([a-z-]+)((?: [^#|`&;]*)?)/g)]);
    const known = used.filter(([, name = '']) => modules.has(name));
    expect(known.length).toBeGreaterThan(20);
    for (const [text, name = '', rest = ''] of known) {
      for (const [, flag] of rest.matchAll(/ --([a-z][a-z-]*)/g))
        expect([...moduleOf(name).flags, 'help'], text).toContain(flag);
    }
  });
});

describe('a command line', () => {
  it.each([
    [['query', 'a', '--', 'b'], 'does not take the argument "b"'],
    [['query', 'select 1', 'select 2'], 'does not take the argument "select 2"'],
    [['query', '--lake', 'nowhere', '--', '-- a comment\nselect 1'], 'there is no lake at'],
    [['event', '--platform', 'US1'], 'expected <event-id>'],
    [['schedule', 'nightly', 'no-such'], 'there is no pipeline "no-such"'],
  ])('%j is refused with %s', async (args, message) => {
    expect(await refusal(args)).toContain(message);
  });
});
