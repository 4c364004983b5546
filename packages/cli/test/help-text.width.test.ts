import { describe, expect, it } from 'vitest';
import { COMMANDS } from '../src/command-list.ts';
import { commandHelp, programHelp } from '../src/help-text.ts';
import { displayWidth } from '../src/text-layout.ts';

describe('help texts', () => {
  it.each([80, 120])('fit %i columns', (width) => {
    for (const text of [programHelp(width), ...COMMANDS.map((command) => commandHelp(command, width))]) {
      for (const line of text.split('\n')) {
        // An example is typed as it stands and is never broken.
        if (!line.trimStart().startsWith('edrlake ')) expect(displayWidth(line), line).toBeLessThanOrEqual(width);
      }
    }
  });

  it('have two or three examples that use only flags of their command', () => {
    for (const command of COMMANDS) {
      expect(command.examples.length, command.name).toBeGreaterThanOrEqual(2);
      expect(command.examples.length, command.name).toBeLessThanOrEqual(3);
      for (const example of command.examples) {
        expect(displayWidth(example.command)).toBeLessThanOrEqual(78);
        expect(example.command).toMatch(new RegExp(`^edrlake ${command.name}\\b`));
        const flags = [...example.command.matchAll(/ --([a-z-]+)/g)].map(([, name]) => name);
        for (const flag of flags) expect(command.flags, example.command).toContain(flag);
      }
    }
  });

  it('show every flag of the command', () => {
    for (const command of COMMANDS) {
      const text = commandHelp(command, 80);
      for (const flag of command.flags) expect(text).toContain(`--${flag}`);
    }
  });
});
