import { spawnSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { type PlantedBug, plant } from './planted-bug.ts';
import { PLANTED_BUGS } from './planted-bugs.ts';
import { runTests, type TestVerdict } from './run-tests.ts';
import { type ScratchCopy, scratchCopy } from './scratch-copy.ts';

const TOP = fileURLToPath(new URL('../../../', import.meta.url));

const USAGE = `npm run mutate [-- OPTIONS]

Plants one bug at a time in a copy of the sources and runs the tests that must notice it. Exit code 0 when each bug is
noticed, 1 when one survives or its tests say nothing, 2 for wrong options.

  --only NAME   Only bugs whose name contains this; may be given several times
  --share K/N   Only every Nth bug, from the Kth on
  --jobs N      Copies at work at the same time (default 2)
  --list        Print the bugs and end
  --help        Print this`;

/** Time limits: of all tests once, without a bug; and of the tests of one bug. */
const ALL_TESTS_MS = 1_200_000;
const BUG_TESTS_MS = 480_000;

interface Outcome {
  readonly bug: PlantedBug;
  readonly verdict: TestVerdict;
  readonly seconds: number;
}

const { only, share, jobs, list } = readOptions();
const named = PLANTED_BUGS.filter(({ name }) => only.length === 0 || only.some((part) => name.includes(part)));
if (named.length === 0) fail(`no planted bug is called so: ${only.join(', ')}`);
const bugs = named.filter((_, position) => position % share.of === share.from - 1);
if (bugs.length === 0) fail(`--share: there are only ${named.length} planted bugs`);
if (list) {
  for (const { name, file, effect } of bugs) print(`${name}\n  ${effect}\n  ${file}`);
  process.exit(0);
}
const stop = new AbortController();
for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => stop.abort());
process.exitCode = await mutate();

async function mutate(): Promise<number> {
  const copies = Array.from({ length: Math.min(jobs, bugs.length) }, () => scratchCopy(TOP));
  try {
    const first = copies[0] as ScratchCopy;
    const tests = [...new Set(bugs.flatMap((bug) => bug.tests))];
    if (bugs.some(({ needsBuild }) => needsBuild === true)) build(first.directory);
    print(`Without a planted bug: ${tests.length} test files or folders …`);
    // Tests that fail without a bug would seem to notice every bug.
    const healthy = await runTests(first.directory, tests, { limitMs: ALL_TESTS_MS, maxWorkers: jobs }, stop.signal);
    if (healthy.kind !== 'passed') {
      print(`the tests fail without a planted bug: ${JSON.stringify(healthy)}`);
      return 1;
    }
    print(`${healthy.tests} tests pass. Now ${bugs.length} planted bugs, ${copies.length} at a time.`);
    const waiting = [...bugs];
    const outcomes: Outcome[] = [];
    await Promise.all(
      copies.map(async ({ directory }) => {
        for (let bug = waiting.shift(); bug !== undefined; bug = waiting.shift()) {
          const outcome = await tryBug(bug, directory);
          outcomes.push(outcome);
          print(lineOf(outcome));
        }
      }),
    );
    const survivors = outcomes.filter(({ verdict }) => verdict.kind !== 'failed');
    print(`\n${outcomes.length - survivors.length} of ${outcomes.length} planted bugs were noticed.`);
    for (const { bug, verdict } of survivors) print(`${bug.name}: ${JSON.stringify(verdict)}`);
    return survivors.length === 0 ? 0 : 1;
  } finally {
    for (const copy of copies) copy.remove();
  }
}

async function tryBug(bug: PlantedBug, directory: string): Promise<Outcome> {
  const path = join(directory, bug.file);
  const healthy = readFileSync(path, 'utf8');
  const startedAt = performance.now();
  writeFileSync(path, plant(bug, healthy));
  try {
    if (bug.needsBuild === true) build(directory);
    const verdict = await runTests(directory, bug.tests, { limitMs: BUG_TESTS_MS, maxWorkers: 1 }, stop.signal);
    return { bug, verdict, seconds: (performance.now() - startedAt) / 1000 };
  } finally {
    writeFileSync(path, healthy);
  }
}

/** Compiles the changed files of the copy. A planted bug may be a type error: the emitted code still runs. */
function build(directory: string): void {
  spawnSync(process.execPath, ['node_modules/typescript/bin/tsc', '-b'], { cwd: directory, stdio: 'ignore' });
}

function lineOf({ bug, verdict, seconds }: Outcome): string {
  const said = { failed: 'noticed ', passed: 'SURVIVED', broken: 'BROKEN  ' }[verdict.kind];
  const by = verdict.kind === 'failed' ? `\n          by: ${verdict.firstFailure}` : '';
  return `${said} ${seconds.toFixed(0).padStart(3)} s  ${bug.name}: ${bug.effect}${by}`;
}

interface Options {
  readonly only: readonly string[];
  readonly share: { readonly from: number; readonly of: number };
  readonly jobs: number;
  readonly list: boolean;
}

function readOptions(): Options {
  try {
    const { values } = parseArgs({
      options: {
        only: { type: 'string', multiple: true, default: [] },
        share: { type: 'string', default: '1/1' },
        jobs: { type: 'string', default: '2' },
        list: { type: 'boolean', default: false },
        help: { type: 'boolean', default: false },
      },
    });
    if (values.help) {
      print(USAGE);
      process.exit(0);
    }
    const jobs = Number(values.jobs);
    if (!Number.isSafeInteger(jobs) || jobs < 1)
      fail(`--jobs: expected a whole number above 0, found "${values.jobs}"`);
    const [, from, of] = /^(\d+)\/(\d+)$/.exec(values.share) ?? [];
    const share = { from: Number(from), of: Number(of) };
    if (!(share.from >= 1 && share.from <= share.of)) fail(`--share: expected such as 1/4, found "${values.share}"`);
    return { only: values.only, share, jobs, list: values.list };
  } catch (thrown) {
    return fail(thrown instanceof Error ? thrown.message : String(thrown));
  }
}

function print(line: string): void {
  process.stdout.write(`${line}\n`);
}

function fail(message: string): never {
  process.stderr.write(`${message}\n\n${USAGE}\n`);
  process.exit(2);
}
