import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** The resources used by a process and all its children. */
export interface Usage {
  readonly wallSeconds: number;
  /** User and system. */
  readonly cpuSeconds: number;
  /** Largest resident memory: exact for the process, sampled for the sum with its children. */
  readonly peakBytes: number;
}

/** The result of a measured program. */
export interface MeasuredRun extends Usage {
  readonly stdout: string;
}

const HOOK = new URL('./usage-hook.js', import.meta.url).href;
const SAMPLE_MS = 200;
const PAGE_BYTES = 4096;

/** How a measured program is run. */
export interface MeasuredOptions {
  readonly env?: Readonly<Record<string, string>>;
  /** An interpreter whose programs write the usage file by themselves, instead of Node. */
  readonly interpreter?: string;
  /** Kills the program and its children when it aborts. Of such a run nothing is measured but its time. */
  readonly signal?: AbortSignal;
}

/**
 * Runs a program, unmodified, and measures it from start to exit.
 * @throws when it ends with another exit code than 0
 */
export async function runMeasured(
  program: string,
  args: readonly string[],
  { env = {}, interpreter, signal }: MeasuredOptions = {},
): Promise<MeasuredRun> {
  const usageFile = join(tmpdir(), `edrlake-bench-${randomUUID()}.json`);
  const inherited = Object.entries(process.env).filter(([name]) => !name.startsWith('EDRLAKE_'));
  const startedAt = performance.now();
  const [command, before] = interpreter === undefined ? [process.execPath, ['--import', HOOK]] : [interpreter, []];
  const child = spawn(command, [...before, program, ...args], {
    detached: signal !== undefined,
    env: { ...Object.fromEntries(inherited), ...env, EDRLAKE_BENCH_USAGE: usageFile },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  // The process group: worker processes would otherwise go on.
  const kill = () => {
    if (child.pid !== undefined && child.exitCode === null) process.kill(-child.pid, 'SIGKILL');
  };
  signal?.addEventListener('abort', kill, { once: true });
  let treePeakBytes = 0;
  const sampling = setInterval(() => {
    treePeakBytes = Math.max(treePeakBytes, treeBytes(child.pid ?? 0));
  }, SAMPLE_MS);
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const wallSeconds = (performance.now() - startedAt) / 1000;
  clearInterval(sampling);
  if (signal?.aborted) return { stdout, wallSeconds, cpuSeconds: 0, peakBytes: 0 };
  if (exitCode !== 0) {
    throw new Error(
      `${[program, ...args].join(' ')}\nended with ${exitCode}:\n${stdout.slice(-2_000)}${stderr.slice(-4_000)}`,
    );
  }
  const usage = JSON.parse(await readFile(usageFile, 'utf8')) as Omit<Usage, 'wallSeconds'>;
  await rm(usageFile, { force: true });
  return { stdout, wallSeconds, cpuSeconds: usage.cpuSeconds, peakBytes: Math.max(usage.peakBytes, treePeakBytes) };
}

/** Runs a Node program exactly as a user would. @returns seconds from start to exit */
export async function runTimed(program: string, args: readonly string[]): Promise<number> {
  const startedAt = performance.now();
  const child = spawn(process.execPath, [program, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  child.stdout.resume();
  child.stderr.resume();
  const exitCode = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const wallSeconds = (performance.now() - startedAt) / 1000;
  if (exitCode !== 0) throw new Error(`${[program, ...args].join(' ')} ended with ${exitCode}`);
  return wallSeconds;
}

/** Resident memory of a process and its descendants now; 0 where there is no /proc, or where it has just ended. */
function treeBytes(pid: number): number {
  try {
    const resident = Number(readFileSync(`/proc/${pid}/statm`, 'utf8').split(' ')[1]) * PAGE_BYTES;
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ').filter(Boolean);
    return children.reduce((sum, child) => sum + treeBytes(Number(child)), resident);
  } catch {
    return 0;
  }
}
