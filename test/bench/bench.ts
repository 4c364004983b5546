import { writeFile } from 'node:fs/promises';
import { COMMON_OPTIONS, type BenchOption, readOptions } from './bench-options.ts';
import { checkRows } from './comparison/check-rows.ts';
import { comparisonFigures, comparisonTargets, comparisonText } from './comparison/comparison-report.ts';
import { type RoundOptions, runRounds } from './comparison/rounds.ts';
import { openStage, OWN_COMMAND, type StageSetting } from './comparison/stage.ts';
import { machineText, thisMachine } from './figures/machine.ts';
import { targetsText } from './figures/targets.ts';
import { numberText } from './figures/text.ts';

const USAGE = `npm run bench -- [options]

Compares edrlake with the least anyone could do by hand. test/bench/README.md says what is measured and how.`;

const OPTIONS = {
  ...COMMON_OPTIONS,
  sizes: { type: 'string', valueName: 'N,N', describe: 'Several sizes one after the other, instead of --events' },
  rounds: { type: 'string', valueName: 'N', describe: 'How often everything is run', default: '3' },
  edrlake: { type: 'string', valueName: 'FILE', describe: 'Another built command to measure, bin/edrlake.js' },
  also: { type: 'string', multiple: true, valueName: 'NAME=FILE', describe: 'A further built command in each round' },
  'memory-limit': {
    type: 'string',
    valueName: 'SIZE',
    describe: "The floor's memory; edrlake's own default",
    default: '512MB',
  },
  'floor-way': {
    type: 'string',
    valueName: 'WAY',
    describe: 'temp-table or scan-per-table',
    default: 'scan-per-table',
  },
} as const satisfies Record<string, BenchOption>;

const values = readOptions(USAGE, OPTIONS);
const sizes = (values.text('sizes') ?? values.text('events') ?? '').split(',').map(Number);
const roundOptions: RoundOptions = {
  rounds: values.number('rounds'),
  memoryLimit: values.text('memory-limit') ?? '',
  floorWay: values.text('floor-way') === 'temp-table' ? 'temp-table' : 'scan-per-table',
  others: Object.fromEntries(values.list('also').map((text) => text.split('=', 2) as [string, string])),
};
const say = (text: string) => process.stdout.write(`${text}\n`);
const tell = (text: string) => process.stderr.write(`${text}\n`);

async function compare(events: number) {
  const setting: StageSetting = {
    events,
    days: values.number('days'),
    pageSize: values.number('page-size'),
    concurrency: values.number('concurrency'),
    seed: values.number('seed'),
    workFolder: values.text('work') ?? '',
    command: values.text('edrlake') ?? OWN_COMMAND,
  };
  const stage = await openStage(setting);
  try {
    const rounds = await runRounds(stage, roundOptions, (entry) => {
      tell(
        `round ${entry.round + 1}  ${entry.contestant}: ${numberText(entry.wallSeconds)} s, CPU ${numberText(entry.cpuSeconds)} s`,
      );
    });
    const checked = checkRows(rounds.stored, events);
    const figures = comparisonFigures(setting, rounds);
    say(`\n${numberText(events)} events over ${setting.days} days, ${roundOptions.rounds} rounds\n`);
    say(`${comparisonText(figures)}\n\n${checked}`);
    return { setting, figures, rounds };
  } finally {
    await stage.close();
  }
}

const machine = thisMachine();
say(machineText(machine));
const compared = [];
for (const events of sizes) compared.push(await compare(events));
const targets = compared.flatMap(({ figures }) => comparisonTargets(figures));
say(`\n${targetsText(targets)}`);
const file = values.text('json');
if (file !== undefined) await writeFile(file, `${JSON.stringify({ machine, targets, compared }, null, 2)}\n`);
