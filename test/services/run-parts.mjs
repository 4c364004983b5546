// npm run test:services -- [PART …] [--without PART]… [--list]
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const HERE = import.meta.dirname;
const USAGE = 'npm run test:services -- [PART …] [--without PART]… [--list]';

/** A part is a folder here with a `part.json`: what it does and what it needs. Its tests install what it needs. */
const parts = readdirSync(HERE)
  .filter((name) => existsSync(join(HERE, name, 'part.json')))
  .map((name) => ({ name, ...JSON.parse(readFileSync(join(HERE, name, 'part.json'), 'utf8')) }));

const { list, chosen, without } = readArguments();
if (list) {
  for (const { name, does, needs } of parts) console.log(`${name}\n  ${does}\n  needs ${needs.join('\n        ')}`);
} else {
  // A part that is left out is run as well, with all its tests skipped: so the report counts them.
  const run = chosen.length > 0 ? chosen : parts.map(({ name }) => name);
  for (const name of without) console.log(`skipped: ${name}, by --without ${name}`);
  // One more at a time than there are cores: they wait for downloads and servers for much of the time.
  const vitest = join(HERE, '../../node_modules/vitest/vitest.mjs');
  const ended = spawnSync(
    process.execPath,
    [vitest, 'run', '--project', 'services', '--maxWorkers=3', ...run.map(folderOf)],
    { stdio: 'inherit', env: { ...process.env, EDRLAKE_TEST_WITHOUT: without.join(',') } },
  );
  process.exitCode = ended.status ?? 1;
}

function folderOf(name) {
  return `test/services/${name}/`;
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { list: { type: 'boolean' }, without: { type: 'string', multiple: true } },
    });
    const without = values.without ?? [];
    const unknown = [...positionals, ...without].find((wanted) => !parts.some(({ name }) => name === wanted));
    if (unknown !== undefined)
      throw new Error(`there is no part "${unknown}"; there are ${parts.map((p) => p.name).join(', ')}`);
    return { list: values.list ?? false, chosen: positionals, without };
  } catch (problem) {
    console.error(`${problem.message}\n${USAGE}`);
    process.exit(2);
  }
}
