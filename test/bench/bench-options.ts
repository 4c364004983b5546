import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

/** An option of a bench: its description and its default. */
export interface BenchOption {
  readonly type: 'string' | 'boolean';
  readonly multiple?: boolean;
  readonly valueName?: string;
  readonly describe: string;
  readonly default?: string;
}

/** Options that all benches have. */
export const COMMON_OPTIONS = {
  events: { type: 'string', valueName: 'N', describe: 'Events in the data', default: '200000' },
  days: { type: 'string', valueName: 'N', describe: 'Days they are spread over', default: '7' },
  seed: { type: 'string', valueName: 'N', describe: 'The same seed gives the same events', default: '1' },
  'page-size': { type: 'string', valueName: 'N', describe: 'Events a request asks for', default: '1000' },
  concurrency: { type: 'string', valueName: 'N', describe: 'Requests at once', default: '2' },
  work: {
    type: 'string',
    valueName: 'DIR',
    describe: 'For recordings, which stay, and lakes, which do not',
    default: join(tmpdir(), 'edrlake-bench'),
  },
  json: { type: 'string', valueName: 'FILE', describe: 'Write all figures there' },
  help: { type: 'boolean', describe: 'Say this' },
} as const satisfies Record<string, BenchOption>;

/** The values of options: numbers and lists are still text. */
export interface BenchValues {
  text(name: string): string | undefined;
  list(name: string): readonly string[];
  has(name: string): boolean;
  /** Ends the process unless the value is a whole number above 0. */
  number(name: string): number;
  /** The same for several values with commas. */
  numbers(name: string): readonly number[];
}

/**
 * Reads the command line. Ends the process with the help where it is requested, and with a message where an option is
 * wrong.
 */
export function readOptions(usage: string, options: Readonly<Record<string, BenchOption>>): BenchValues {
  const values = parsed(options);
  if (values.help === true) {
    process.stdout.write(`${usage}\n\n${helpText(options)}\n`);
    process.exit(0);
  }
  const text = (name: string) => {
    const value = values[name] ?? options[name]?.default;
    return typeof value === 'string' ? value : undefined;
  };
  const numbers = (name: string) =>
    (text(name) ?? '').split(',').map((item) => {
      const value = Number(item);
      if (!Number.isSafeInteger(value) || value < 1)
        fail(`--${name}: expected a whole number above 0, found "${item}"`);
      return value;
    });
  return {
    text,
    list: (name) => (Array.isArray(values[name]) ? values[name].map(String) : []),
    has: (name) => values[name] === true,
    number: (name) => numbers(name)[0] ?? 0,
    numbers,
  };
}

function parsed(options: Readonly<Record<string, BenchOption>>) {
  const types = Object.entries(options).map(([name, { type, multiple }]) => {
    return [name, { type, multiple: multiple === true }] as const;
  });
  try {
    return parseArgs({ options: Object.fromEntries(types) }).values;
  } catch (thrown) {
    return fail(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function fail(problem: string): never {
  process.stderr.write(`${problem}\nSee --help.\n`);
  process.exit(2);
}

function helpText(options: Readonly<Record<string, BenchOption>>): string {
  const flags = Object.entries(options).map(([name, option]) => ({
    flag: `--${name}${option.valueName === undefined ? '' : ` ${option.valueName}`}`,
    text: option.default === undefined ? option.describe : `${option.describe} (${option.default})`,
  }));
  const width = Math.max(...flags.map(({ flag }) => flag.length));
  return flags.map(({ flag, text }) => `  ${flag.padEnd(width)}  ${text}`).join('\n');
}
