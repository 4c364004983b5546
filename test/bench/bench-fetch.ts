import { COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { freshFolder, openStage, type Stage } from './comparison/stage.ts';
import { numberText, tableText } from './figures/text.ts';
import { reportResults, runProgram, settingFrom } from './stages/bench-stage.ts';

const USAGE = `npm run bench:fetch -- [options]

Fetches pages into the spool, scanned, counted and synced, beside fetching them only to throw them away.`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  rounds: { type: 'string', valueName: 'N', describe: 'How often everything is run', default: '3' },
});
const setting = settingFrom(values);

/** One fetch by one pagination. */
interface Fetched {
  readonly name: string;
  readonly seconds: number;
  readonly cpuSeconds: number;
  readonly peakBytes: number;
}

const stage = await openStage(setting);
const results: Fetched[] = [];
let textBytes = 0;
try {
  textBytes = await recordPages(stage);
  for (let round = 0; round < values.number('rounds'); round += 1) {
    const spool = await runProgram('fetch', {
      ...stage.stageOrder,
      folder: await freshFolder(stage, 'fetch'),
      keep: false,
    });
    results.push({ name: 'spool', ...timesOf(spool.said), peakBytes: spool.peakBytes });
    const drain = await stage.program('drain', {});
    results.push({ name: 'server', ...timesOf(JSON.parse(drain.stdout)), peakBytes: drain.peakBytes });
  }
} finally {
  await stage.close();
}

/** Fetches once without measuring, so that the gateway has all answers. @returns bytes of the pages, uncompressed */
async function recordPages(on: Stage): Promise<number> {
  const order = { ...on.stageOrder, folder: await freshFolder(on, 'fetch'), keep: false };
  const { said } = await runProgram('fetch', order);
  const { pages } = await on.gateway.take();
  await on.usePages(pages);
  return Number(said.textBytes);
}

function timesOf(said: Readonly<Record<string, unknown>>) {
  return { seconds: Number(said.seconds), cpuSeconds: Number(said.cpuSeconds) };
}

const best = (name: string) => {
  const of = results.filter((result) => result.name === name).sort((a, b) => a.seconds - b.seconds);
  return of[Math.floor(of.length / 2)] as Fetched;
};
const rows = ['spool', 'server'].map((name) => {
  const { seconds, cpuSeconds, peakBytes } = best(name);
  const figures = [seconds, setting.events / seconds, textBytes / 1e6 / seconds, (cpuSeconds / setting.events) * 1e6];
  return [name, ...[...figures, peakBytes / 1_048_576].map(numberText)];
});
const table = tableText(['fetch, medians', 's', 'events/s', 'MB/s of JSON', 'CPU s per million', 'peak MiB'], rows);
await reportResults(values, [table], [], { setting, textBytes, results });
