// npm run crash -- [--all] [--actions kill-before,ENOSPC,…] [--trials N] [--seed N] [--commands backfill,sync,…]
//   [--variants edr,fim,portable,objects]
import { spawn } from 'node:child_process';
import { parseArgs } from 'node:util';

const text = { type: 'string' };
const { values } = parseArgs({
  options: { all: { type: 'boolean' }, actions: text, trials: text, seed: text, commands: text, variants: text },
});
const wanted = {
  EDRLAKE_TEST_CRASH_TRIALS: values.all ? 'all' : (values.trials ?? '20'),
  EDRLAKE_TEST_CRASH_ACTIONS: values.actions,
  EDRLAKE_TEST_CRASH_SEED: values.seed,
  EDRLAKE_TEST_CRASH_COMMANDS: values.commands,
  EDRLAKE_TEST_CRASH_VARIANTS: values.variants,
};
const given = Object.entries(wanted).filter(([, value]) => value !== undefined);
const env = { ...process.env, ...Object.fromEntries(given) };
spawn('npx', ['vitest', 'run', 'test/crash/sweep.test.ts'], { env, stdio: 'inherit' }).on('close', (code) => {
  process.exitCode = code ?? 1;
});
