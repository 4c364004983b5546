import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { FetchedWindow } from '@edrlake/core';
import { COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { BATCHES } from './comparison/rounds.ts';
import { freshFolder, openStage } from './comparison/stage.ts';
import { spreadBy, spreadOf } from './figures/spread.ts';
import { numberText, spreadText, tableText } from './figures/text.ts';
import { reportResults, runProgram, settingFrom } from './stages/bench-stage.ts';
import type { StatementTime } from './stages/statement-times.ts';

const USAGE = `npm run bench:flatten -- [options]

Flattens spooled pages and writes their tables, beside the floor's script on the same pages.`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  rounds: { type: 'string', valueName: 'N', describe: 'How often everything is run', default: '3' },
  'batch-mib': { type: 'string', valueName: 'N', describe: 'Pages that are flattened together', default: '64' },
});
const setting = settingFrom(values);
const batchBytes = values.number('batch-mib') * 1024 * 1024;

/** Statements that are printed; the JSON has all of them. */
const SHOWN_STATEMENTS = 14;

/** The result of one round. */
interface Flattened {
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly stage: { readonly seconds: number; readonly cpuSeconds: number };
  readonly write: { readonly seconds: number; readonly cpuSeconds: number };
  readonly statements: readonly StatementTime[];
  readonly floor: { readonly seconds: number; readonly cpuSeconds: number };
}

const stage = await openStage(setting);
const results: Flattened[] = [];
let pageBytes = 0;
try {
  const spool = await freshFolder(stage, 'spooled');
  await runProgram('fetch', { ...stage.stageOrder, folder: spool, keep: true });
  const { pages } = await stage.gateway.take();
  await stage.usePages(pages);
  const windowsFile = join(spool, 'windows.json');
  const windows = JSON.parse(await readFile(windowsFile, 'utf8')) as FetchedWindow[];
  pageBytes = windows.reduce((sum, window) => sum + window.bodyBytes, 0);
  for (let round = 0; round < values.number('rounds'); round += 1) {
    const folder = await freshFolder(stage, 'flattened');
    const ours = await runProgram('flatten', { ...stage.stageOrder, folder, windowsFile, batchBytes });
    const floorFolder = await freshFolder(stage, 'floor');
    const order = { folder: floorFolder, ...BATCHES };
    const floor = JSON.parse((await stage.program('floor', order)).stdout) as { script: Flattened['floor'] };
    results.push({ ...(ours.said as unknown as Omit<Flattened, 'floor'>), floor: floor.script });
    process.stderr.write(`round ${round + 1}\n`);
  }
} finally {
  await stage.close();
}

const row = (name: string, of: (result: Flattened) => { readonly seconds: number; readonly cpuSeconds: number }) => {
  const cpu = spreadBy(results, (result) => (of(result).cpuSeconds / setting.events) * 1e6);
  return [name, spreadText(spreadBy(results, (result) => of(result).seconds)), spreadText(cpu)];
};
const table = tableText(
  [`${numberText(pageBytes / 1e6)} MB of JSON`, 's', 'CPU s per million'],
  [
    row('flatten and write', (result) => result),
    row('  flatten', ({ stage: staging }) => staging),
    row('  write', ({ write }) => write),
    row("the floor's script", ({ floor }) => floor),
  ],
);
const ratios = tableText(
  ['ratio', 'median (min–max)'],
  [
    ['time / floor', spreadText(spreadOf(results.map((result) => result.seconds / result.floor.seconds)))],
    ['CPU time / floor', spreadText(spreadOf(results.map((result) => result.cpuSeconds / result.floor.cpuSeconds)))],
  ],
);
const statements = tableText(
  ['statements of the last round', 'runs', 's', 'CPU s per million'],
  (results.at(-1)?.statements ?? [])
    .slice(0, SHOWN_STATEMENTS)
    .map(({ begins, runs, seconds, cpuSeconds }) => [
      begins,
      ...[runs, seconds, (cpuSeconds / setting.events) * 1e6].map(numberText),
    ]),
);
await reportResults(values, [ratios, table, statements], [], { setting, pageBytes, results });
