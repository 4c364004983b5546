import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';

/** The result of the named tests. `broken`: a test file could not be loaded, so its tests have no result. */
export type TestVerdict =
  | { readonly kind: 'passed'; readonly tests: number }
  | { readonly kind: 'failed'; readonly firstFailure: string }
  | { readonly kind: 'broken'; readonly reason: string };

interface Report {
  readonly numTotalTests: number;
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

/** The time limit of the tests, and how many files run at once. */
export interface TestBounds {
  readonly limitMs: number;
  readonly maxWorkers: number;
}

/**
 * Runs vitest in a copy of the repository until the first failure. A planted bug may loop for ever: tests that exceed
 * the limit are killed and have no result.
 */
export async function runTests(
  directory: string,
  tests: readonly string[],
  { limitMs, maxWorkers }: TestBounds,
  signal: AbortSignal,
): Promise<TestVerdict> {
  const reportPath = join(directory, '.vitest-report.json');
  rmSync(reportPath, { force: true });
  const output = await new Promise<string>((resolve, reject) => {
    const child = spawn(
      process.execPath,
      ['node_modules/vitest/vitest.mjs', 'run', '--bail=1', `--maxWorkers=${maxWorkers}`, ...tests],
      {
        cwd: directory,
        env: { ...process.env, CI: 'true', EDRLAKE_TEST_REPORT: reportPath, NO_COLOR: '1' },
        signal,
        timeout: limitMs,
        killSignal: 'SIGKILL',
      },
    );
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    child.stderr.on('data', (chunk) => {
      text += chunk;
    });
    child.on('error', reject);
    child.on('close', () => resolve(text));
  });
  return verdictOf(reportPath, output, limitMs);
}

function verdictOf(reportPath: string, output: string, limitMs: number): TestVerdict {
  let report: Report;
  try {
    report = JSON.parse(readFileSync(reportPath, 'utf8')) as Report;
  } catch {
    return { kind: 'broken', reason: `no report after ${limitMs / 1000} s: ${output.trim().slice(-400)}` };
  }
  const failures = report.testResults.flatMap((file) =>
    file.assertionResults.filter(({ status }) => status === 'failed').map(({ fullName }) => fullName),
  );
  if (failures[0] !== undefined) return { kind: 'failed', firstFailure: failures[0] };
  const unloaded = report.testResults.find(({ status }) => status === 'failed');
  if (unloaded !== undefined) return { kind: 'broken', reason: unloaded.message };
  return report.numTotalTests === 0
    ? { kind: 'broken', reason: 'no test ran' }
    : { kind: 'passed', tests: report.numTotalTests };
}
