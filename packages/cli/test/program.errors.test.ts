import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it, onTestFinished } from 'vitest';
import { runProgram } from '../src/program.ts';
import { fakeSurroundings } from './fake-surroundings.ts';

async function run(args: readonly string[], env: Record<string, string> = {}) {
  const context = fakeSurroundings({ env });
  const exitCode = await runProgram(args, context);
  return { exitCode, stdout: context.stdout.text, stderr: context.stderr.text };
}

describe('a filter that is set for everything', () => {
  it.each([
    [['run', 'nightly'], { EDRLAKE_FILTER: 'type: FILE' }, 'expected no filter', 'found "type: FILE"'],
    [['run', 'nightly', '--dry-run'], { EDRLAKE_STATE: 'true' }, 'expected no state', 'found "true"'],
    [['reconcile'], { EDRLAKE_FILTER: 'type: FILE' }, 'expected no filter', 'compares, and repairs, whole days'],
    [['schedule', 'nightly'], { EDRLAKE_FILTER: 'type: FILE' }, 'pipeline "nightly"', 'sync, reconcile and repair'],
  ])('is refused by %j, which would look at the rest as well', async (args, env, ...wanted) => {
    const { exitCode, stdout, stderr } = await run([...args, '--platform', 'US1', '--lake', 'nowhere'], env);
    const said = stderr.replaceAll('\n', ' ');
    expect({ exitCode, stdout }, said).toEqual({ exitCode: 2, stdout: '' });
    for (const words of [...wanted, '[CONFIG_INVALID]', Object.keys(env)[0] ?? '', 'edrlake backfill']) {
      expect(said).toContain(words);
    }
  });
});

describe('a gateway that nothing names', () => {
  async function planIn(config: string | null, args: readonly string[] = []) {
    const workingDirectory = await mkdtemp(join(tmpdir(), 'edrlake-gateway-'));
    onTestFinished(() => rm(workingDirectory, { recursive: true }));
    const file = join(workingDirectory, 'edrlake.config.json');
    if (config !== null) await writeFile(file, config);
    const context = fakeSurroundings({ workingDirectory });
    expect(await runProgram(['plan', '--from', '2020-08-17', '--to', '2020-08-17', ...args], context)).toBe(2);
    return context.stderr.text.replaceAll('\n', ' ').replace(file, 'FILE');
  }

  it.each([
    [null, [], 'edrlake.config.ts with: npx edrlake init --platform US1'],
    ['{"pageSize": 500}', [], "write one into FILE, such as platform: 'US1'."],
    [
      '{"subscriptions": [{"name": "acme"}]}',
      ['--subscription', 'acme'],
      "'US1', for all subscriptions or in the entry",
    ],
  ])('is to be written into the configuration %j', async (config, args, advice) => {
    expect(await planIn(config, args)).toContain(advice);
  });
});

describe('a gateway that cannot be', () => {
  it.each([
    [['run', 'nightly'], ['--platform', 'US9'], 'unknown platform "US9". Did you mean US1? [CONFIG_INVALID]'],
    [['schedule', 'nightly'], ['--platform', 'US9'], 'unknown platform "US9". Did you mean US1? [CONFIG_INVALID]'],
    [['schedule', 'nightly'], ['--base-url', 'ftp://x'], '[URL_INVALID]'],
    [['init'], ['--platform', 'EU9'], 'unknown platform "EU9". Did you mean EU1? [CONFIG_INVALID]'],
  ])('is refused by %j before a run begins', async (args, gateway, message) => {
    const workingDirectory = await mkdtemp(join(tmpdir(), 'edrlake-gateway-'));
    onTestFinished(() => rm(workingDirectory, { recursive: true }));
    const context = fakeSurroundings({ workingDirectory, env: { EDRLAKE_USERNAME: 'u', EDRLAKE_PASSWORD: 'p' } });
    expect(await runProgram([...args, ...gateway], context)).toBe(2);
    expect(context.stderr.text.replaceAll('\n', ' ')).toContain(message);
    expect(await readdir(workingDirectory)).toEqual([]);
  });
});

describe('a run of a lake in an object store that another machine began', () => {
  it.each([
    [['run', 'nightly', '--resume', '20261122T003012Z-1f9a2c']],
    [['run', '--resume', '20261122T003012Z-1f9a2c']],
  ])('%j says where its journal would be, and what to do here', async (args) => {
    const workingDirectory = await mkdtemp(join(tmpdir(), 'edrlake-machine-'));
    onTestFinished(() => rm(workingDirectory, { recursive: true }));
    const env = { EDRLAKE_PLATFORM: 'US1', EDRLAKE_USERNAME: 'u', EDRLAKE_PASSWORD: 'p' };
    const context = fakeSurroundings({ workingDirectory, env });
    const lake = ['--lake', 's3://acme/edr', '--work', 'work', '--no-progress'];
    expect(await runProgram([...args, ...lake], context)).toBe(2);
    const said = context.stderr.text.replaceAll('\n', ' ');
    expect(said).toContain(`journals were looked for in ${join(workingDirectory, 'work', '_runs')} [RUN_MISSING]`);
    expect(said).toContain('by the machine where it began: go on with it there, with the same --work.');
    expect(said).toContain('npx edrlake run nightly --lake s3://acme/edr.');
  });
});

describe('a command line that cannot be understood', () => {
  it.each([
    [['bakfill'], 'there is no command "bakfill" [USAGE]', 'Did you mean: npx edrlake backfill'],
    [['xyzzy'], 'there is no command "xyzzy" [USAGE]', 'edrlake --help lists the commands.'],
    [
      ['plan', '--form', 'x'],
      'edrlake plan has no flag --form [USAGE]',
      'Did you mean --from? See: npx edrlake plan --help',
    ],
    [['plan', '--format', 'csv'], 'edrlake plan has no flag --format [USAGE]', 'See: npx edrlake plan --help'],
    [['plan', 'extra'], 'edrlake plan does not take the argument "extra" [USAGE]', 'See: npx edrlake plan --help'],
    [['plan', '--from'], '--from: expected a day', 'See: npx edrlake plan --help'],
    [['event'], 'edrlake event: expected <event-id> [USAGE]', 'See: npx edrlake event --help'],
    [['--bogus=1', 'plan'], 'expected a command before --bogus [USAGE]', 'edrlake --help'],
    [['plan', '--page-size', '0'], '--page-size: expected a whole number from 1 to 10000, found "0"', ''],
  ])('%j is one short message on stderr and exit code 2', async (args, message, hint) => {
    const { exitCode, stdout, stderr } = await run(args);
    expect(exitCode).toBe(2);
    expect(stdout).toBe('');
    const words = stderr.replaceAll('\n', ' ');
    expect(words).toContain(message);
    expect(words).toContain(hint);
    expect(stderr.trimEnd().split('\n').length).toBeLessThanOrEqual(4);
    expect(stderr).not.toMatch(/\bat .*:\d+/);
  });

  it('is one JSON document on stdout where JSON was asked for', async () => {
    for (const [args, env] of [
      [['plan', '--json', '--nope'], {}],
      [['plan', '--nope'], { EDRLAKE_JSON: 'true' }],
    ] as const) {
      const { exitCode, stdout, stderr } = await run(args, env);
      expect(exitCode).toBe(2);
      expect(stderr).toBe('');
      expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'USAGE', exitCode: 2 } });
    }
  });

  it('refuses a flag that the command has no use for', async () => {
    const { exitCode, stderr } = await run(['status', '--lake', 'nowhere', '--platform', 'US1']);
    expect({ exitCode, known: stderr.includes('edrlake status has no flag --platform') }).toEqual({
      exitCode: 2,
      known: true,
    });
  });

  it('never repeats a password', async () => {
    for (const args of [
      ['plan', '--password', 'opensesame'],
      ['plan', '--pasword=opensesame'],
      ['plan', '-p', 'opensesame'],
      ['plan', '--from', 'opensesame'],
    ]) {
      const { exitCode, stderr } = await run(args, { EDRLAKE_PASSWORD: 'opensesame' });
      expect(exitCode).toBe(2);
      expect(stderr).not.toContain('opensesame');
    }
    expect((await run(['plan', '--password', 'x'])).stderr).toContain('EDRLAKE_PASSWORD_FILE');
    const env = { EDRLAKE_PASSWORD: 'code' };
    const { stdout } = await run(['plan', '--from', 'code', '--to', 'code', '--json'], env);
    expect(JSON.parse(stdout).error).toMatchObject({
      code: 'RANGE_INVALID',
      message: expect.not.stringContaining('code'),
    });
  });

  it('shows where it came from only with --log-level debug', async () => {
    expect((await run(['plan', '--page-size', 'x', '--log-level', 'debug'])).stderr).toMatch(/settings\.ts:\d+/);
  });
});

describe('help', () => {
  it.each([[[]], [['--help']], [['help']], [['nonsense', '--help']]])('of the program for %j', async (args) => {
    const { exitCode, stdout } = await run(args);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('Usage: edrlake <command> [flags]');
  });

  it.each([[['query', '--help']], [['query', 'select 1', '-h']], [['help', 'query']]])(
    'of the command for %j',
    async (args) => {
      const { stdout } = await run(args);
      expect(stdout).toContain('Usage: edrlake query [sql] [flags]');
      expect(stdout).toContain('Examples:');
    },
  );
});

describe('completion', () => {
  it.each([
    [['ba'], 'backfill'],
    [['backfill', '--pl'], '--platform'],
    [['query', '--format', 'nd'], 'ndjson'],
    [['completion', 'z'], 'zsh'],
    [['run', 'n'], 'nightly'],
    [['simulate', '--fault', 'reset', '--fa'], '--fault'],
    [['query', '--lake', ''], ''],
    [['backfill', '--lake', 'x', '--lak'], ''],
    [['he'], 'help'],
    [['h'], 'hunt\nhelp'],
    [['help', 'sta'], 'status'],
    [['help', 'publish', ''], 'delta\niceberg\nducklake\nocsf'],
    [['help', 'status', ''], ''],
    [['--v'], '--version'],
    [['query', '--v'], ''],
    [['query', '--format=nd'], '--format=ndjson'],
    [['query', '--format', '=', 'nd'], 'ndjson'],
    [['query', '--format', '='], 'table\ncsv\njson\nndjson\narrow\nparquet'],
    [['query', '--lake=x'], ''],
    [['query', '--format=csv', '--lak'], '--lake'],
    [['query', '--', '--f'], ''],
  ])('of %j is %s', async (words, expected) => {
    expect((await run(['--complete', ...words])).stdout).toBe(`${expected}\n`);
  });

  it.each(['bash', 'zsh'])('script for %s asks the command itself', async (shell) => {
    const { stdout, exitCode } = await run(['completion', shell]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain('edrlake --complete');
  });
});
