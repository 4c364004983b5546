import { runTimed } from '../contestants/measured-process.ts';
import { type Spread, spreadOf } from '../figures/spread.ts';
import type { Target } from '../figures/targets.ts';
import { spreadText, tableText } from '../figures/text.ts';

/** Milliseconds from start to exit of commands for which users wait. */
export type StartUp = Readonly<Record<keyof ReturnType<typeof commandsOn>, Spread>>;

const TIMES = 11;

/** Measures commands in turn, on a lake of 1,000 days where they need one. */
export async function measureStartUp(command: string, lake: string): Promise<StartUp> {
  const commands = Object.entries(commandsOn(command, lake));
  const times = new Map<string, number[]>(commands.map(([name]) => [name, []]));
  // The first run of each fills the page cache.
  for (let time = 0; time <= TIMES; time += 1) {
    for (const [name, [program = '', ...args]] of commands) {
      const milliseconds = (await runTimed(program, args)) * 1000;
      if (time > 0) times.get(name)?.push(milliseconds);
    }
  }
  return Object.fromEntries([...times].map(([name, values]) => [name, spreadOf(values)])) as StartUp;
}

function commandsOn(command: string, lake: string) {
  return {
    'node alone': ['-e', '0'],
    'edrlake --version': [command, '--version'],
    'edrlake status --help': [command, 'status', '--help'],
    'edrlake status': [command, 'status', '--lake', lake],
    'edrlake query "select count(*) …"': [command, 'query', 'select count(*) from events', '--lake', lake],
  } as const;
}

/** One line a command. */
export function startUpText(startUp: StartUp): string {
  const rows = Object.entries(startUp).map(([name, spread]) => [name, spreadText(spread)]);
  return tableText(['from start to exit, lake of 1,000 days', 'ms'], rows);
}

/** The targets for start-up. */
export function startUpTargets(startUp: StartUp): Target[] {
  const target = (name: string, command: keyof StartUp, limit: number): Target => ({
    name,
    measured: startUp[command].median,
    bound: 'at most',
    limit,
    unit: 'ms',
  });
  return [
    target('edrlake --version', 'edrlake --version', 80),
    target('start-up (status --help)', 'edrlake status --help', 150),
    target('status, 1,000 days', 'edrlake status', 300),
    target('query of a count, 1,000 days', 'edrlake query "select count(*) …"', 300),
  ];
}
