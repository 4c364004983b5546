import { writeFile } from 'node:fs/promises';
import { type BenchOption, COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { type Behaviour, behaviourOf, behaviourText } from './comparison/behaviour.ts';
import { checkRows } from './comparison/check-rows.ts';
import { comparisonFigures, comparisonText } from './comparison/comparison-report.ts';
import { installPeers } from './comparison/install-peers.ts';
import { fastestLimit, peersWith } from './comparison/peers.ts';
import { contestantsOf, FLOOR, runRounds } from './comparison/rounds.ts';
import { freshFolder, openStage } from './comparison/stage.ts';
import { machineText, thisMachine } from './figures/machine.ts';
import { numberText, tableText } from './figures/text.ts';
import { settingFrom } from './stages/bench-stage.ts';

const USAGE = `npm run bench:peers -- [options]

Compares edrlake with ClickHouse and dlt, which are installed from PyPI into a folder below --work. Needs Python 3.10 or
newer, and a network the first time. test/bench/README.md says what is measured and how.`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  rounds: { type: 'string', valueName: 'N', describe: 'How often everything is run', default: '3' },
  peers: { type: 'string', valueName: 'A,B', describe: 'Only these', default: 'clickhouse,dlt-arrow,dlt-json' },
} as const satisfies Record<string, BenchOption>);
const setting = settingFrom(values);
const say = (text: string) => process.stdout.write(`${text}\n`);
const log = (text: string) => process.stderr.write(`${text}\n`);

const python = await installPeers(setting.workFolder);
const wanted = new Set((values.text('peers') ?? '').split(','));
const peers = Object.fromEntries(Object.entries(peersWith(python)).filter(([name]) => wanted.has(name)));
const options = { rounds: values.number('rounds'), withSpilling: false, others: {}, peers };
say(machineText(thisMachine()));
const stage = await openStage(setting);
try {
  const rounds = await runRounds(stage, options, ({ round, contestant, wallSeconds, cpuSeconds }) => {
    log(`round ${round + 1}  ${contestant}: ${numberText(wallSeconds)} s, CPU ${numberText(cpuSeconds)} s`);
  });
  const checked = checkRows(rounds.stored, setting.events);
  const figures = comparisonFigures(setting, rounds);
  say(`\n${numberText(setting.events)} events over ${setting.days} days, ${options.rounds} rounds\n`);
  say(`${comparisonText(figures)}\n\n${checked}`);
  const fastest = await fastestLimit(stage, python, await freshFolder(stage, 'limit'));
  say(
    `\n${tableText(
      ['the fastest libraries, one core, each alone', 'µs/event'],
      [
        ['inflate gzip (libdeflate)', numberText(fastest.inflateUs)],
        ['parse JSON (simdjson)', numberText(fastest.parseUs)],
        ['compress Parquet (zstd 1)', numberText(fastest.compressUs)],
        ['together', numberText(fastest.inflateUs + fastest.parseUs + fastest.compressUs)],
      ],
    )}`,
  );
  const behaviours: Record<string, Behaviour> = {};
  for (const [name, contestant] of Object.entries(contestantsOf(options))) {
    if (name !== 'edrlake' && name !== FLOOR && peers[name] === undefined) continue;
    log(`${name}: run twice, killed at half`);
    behaviours[name] = await behaviourOf(stage, name, contestant, rounds.pages);
  }
  const [right] = Object.values(rounds.stored);
  if (right !== undefined) say(`\n${behaviourText(behaviours, right, rounds.pages)}`);
  const file = values.text('json');
  if (file !== undefined) {
    const result = { machine: thisMachine(), setting, figures, fastest, behaviours, rounds };
    await writeFile(file, `${JSON.stringify(result, null, 2)}\n`);
  }
} finally {
  await stage.close();
}
