import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import { runCommand } from './command.ts';

const TOP = fileURLToPath(new URL('../../', import.meta.url));

/** One file a command. */
const COMMANDS = readdirSync(`${TOP}packages/cli/src/commands`)
  .filter((name) => name.endsWith('.ts'))
  .map((name) => name.slice(0, -'.ts'.length))
  .sort();

const INTRODUCTION = `# Command line

<!-- Generated from the help texts of the built command by \`npm run docs\`; a test fails when it is out of date. -->

What \`edrlake --help\` and \`edrlake COMMAND --help\` print. Error codes are explained in [errors.md](errors.md).`;

async function helpOf(args: readonly string[]): Promise<string> {
  const { exitCode, stdout, stderr } = await runCommand([...args, '--help']);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: '' });
  return stdout.trimEnd();
}

// When this fails: npm run docs
test('the reference of the command line is up to date and names every command', async () => {
  const overview = await helpOf([]);
  const sections = [`## edrlake\n\n\`\`\`text\n${overview}\n\`\`\``];
  for (const command of COMMANDS) {
    expect(overview).toMatch(new RegExp(`^ +(?:edrlake )?${command} `, 'm'));
    sections.push(`## edrlake ${command}\n\n\`\`\`text\n${await helpOf([command])}\n\`\`\``);
  }
  await expect(`${[INTRODUCTION, ...sections].join('\n\n')}\n`).toMatchFileSnapshot(`${TOP}docs/cli-reference.md`);
});
