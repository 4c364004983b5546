import { spawn } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { DuckDBInstance } from '@duckdb/node-api';

const BINARY = fileURLToPath(new URL('../../packages/edrlake/bin/edrlake.js', import.meta.url));

/** The result of a run of the command. */
export interface Ended {
  /** 130 as well where it ended itself by SIGINT, as a shell reports that; null when another signal ended it. */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface RunningCommand {
  readonly pid: number;
  readonly ended: Promise<Ended>;
  kill(signal: NodeJS.Signals): void;
  /** Resolves as soon as stderr contains the text. */
  said(text: string): Promise<void>;
}

export interface CommandOptions {
  readonly cwd?: string;
  readonly env?: Readonly<Record<string, string>>;
  readonly stdin?: string;
  /** Closes stderr at once, as if its reader had ended. */
  readonly closeStderr?: boolean;
}

/** Credentials of the simulated gateway, without this process's edrlake settings. */
const DEMO_ENV = { EDRLAKE_USERNAME: 'demo', EDRLAKE_PASSWORD: 'demo' };

/** Starts the built command as a user would. */
export function startCommand(args: readonly string[], options: CommandOptions = {}): RunningCommand {
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('EDRLAKE_'));
  const child = spawn(process.execPath, [BINARY, ...args], {
    cwd: options.cwd ?? tmpdir(),
    env: { ...Object.fromEntries(inherited), ...DEMO_ENV, ...options.env },
    stdio: ['pipe', 'pipe', 'pipe'],
  });
  child.stdin.end(options.stdin ?? '');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  if (options.closeStderr === true) child.stderr.destroy();
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode, signal) =>
      resolve({ exitCode: signal === 'SIGINT' ? 130 : exitCode, stdout, stderr }),
    );
  });
  const said = (text: string) =>
    new Promise<void>((resolve, reject) => {
      const look = () => {
        if (stderr.includes(text)) resolve();
      };
      child.stderr.on('data', look);
      child.on('close', () => reject(new Error(`ended without saying "${text}": ${stderr}`)));
      look();
    });
  return { pid: child.pid ?? 0, ended, kill: (signal) => child.kill(signal), said };
}

/** Runs the built command to its end. */
export function runCommand(args: readonly string[], options: CommandOptions = {}): Promise<Ended> {
  return startCommand(args, options).ended;
}

/** Runs the command with `--json` and expects success. */
export async function runJson(args: readonly string[], options: CommandOptions = {}): Promise<Record<string, unknown>> {
  const ended = await runCommand([...args, '--json'], options);
  if (ended.exitCode !== 0) throw new Error(`exit code ${ended.exitCode}: ${ended.stdout}${ended.stderr}`);
  return JSON.parse(ended.stdout) as Record<string, unknown>;
}

/** Runs the work in a new directory and removes it afterwards. */
export async function inFreshDirectory<T>(work: (directory: string) => Promise<T>): Promise<T> {
  const directory = await mkdtemp(join(tmpdir(), 'edrlake-e2e-'));
  try {
    return await work(directory);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

/** Rows of a query in a DuckDB without edrlake; every value as text, NULL as null. */
export async function inPlainDuckDb(sql: string, file = ':memory:'): Promise<(string | null)[][]> {
  const instance = await DuckDBInstance.create(file, file === ':memory:' ? {} : { access_mode: 'READ_ONLY' });
  try {
    const connection = await instance.connect();
    try {
      const reader = await connection.runAndReadAll(sql);
      return reader.getRowsJson().map((row) => row.map((value) => (value === null ? null : String(value))));
    } finally {
      connection.closeSync();
    }
  } finally {
    instance.closeSync();
  }
}

/** Runs a shell script in which `edrlake` is the command. */
export function inShell(
  script: string,
  cwd: string,
): Promise<{ exitCode: number | null; stdout: Buffer; stderr: string }> {
  const run = `edrlake() { '${process.execPath}' '${BINARY}' "$@"; }; ${script}`;
  const child = spawn('bash', ['-c', run], { cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const [out, err]: [Buffer[], Buffer[]] = [[], []];
  child.stdout.on('data', (piece: Buffer) => out.push(piece));
  child.stderr.on('data', (piece: Buffer) => err.push(piece));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (exitCode) =>
      resolve({ exitCode, stdout: Buffer.concat(out), stderr: Buffer.concat(err).toString() }),
    );
  });
}
