import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchOption, COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { checkRows } from './comparison/check-rows.ts';
import {
  type ComparisonFigures,
  comparisonFigures,
  comparisonTargets,
  comparisonText,
  growthTargets,
} from './comparison/comparison-report.ts';
import { doAgain, doneAgainTargets, doneAgainText } from './comparison/done-again.ts';
import { measureResults, resultsTargets, resultsText } from './comparison/results.ts';
import { type RoundOptions, runRounds } from './comparison/rounds.ts';
import { OWN_COMMAND, openStage, type StageSetting } from './comparison/stage.ts';
import { measureStartUp, startUpTargets, startUpText } from './comparison/start-up.ts';
import { measureTelemetry, telemetryTargets, telemetryText } from './comparison/telemetry-cost.ts';
import {
  compactedTargets,
  compactedText,
  compactLast,
  measureSmallNights,
  smallNightsTargets,
  smallNightsText,
} from './comparison/upkeep.ts';
import { machineText, thisMachine } from './figures/machine.ts';
import { judged, targetsText } from './figures/targets.ts';
import { numberText } from './figures/text.ts';

const USAGE = `npm run bench -- [options]

Compares edrlake with the least anyone could do by hand. test/bench/README.md says what is measured and how.`;

const OPTIONS = {
  ...COMMON_OPTIONS,
  sizes: { type: 'string', valueName: 'N,N', describe: 'Several sizes one after the other, instead of --events' },
  rounds: { type: 'string', valueName: 'N', describe: 'How often everything is run', default: '3' },
  edrlake: { type: 'string', valueName: 'FILE', describe: 'Another built command to measure, bin/edrlake.js' },
  also: { type: 'string', multiple: true, valueName: 'NAME=FILE', describe: 'A further built command in each round' },
  skip: { type: 'string', valueName: 'PART,PART', describe: 'Leave out: again, telemetry, compact, start-up' },
  'thousand-days': {
    type: 'string',
    valueName: 'DIR',
    describe: 'Keep the lake of 1,000 days there, or use the one there',
  },
  spill: { type: 'boolean', describe: 'Also all pages at once in 512 MB, which DuckDB must spill' },
} as const satisfies Record<string, BenchOption>;

const values = readOptions(USAGE, OPTIONS);
const sizes = values.numbers(values.text('sizes') === undefined ? 'events' : 'sizes');
const roundOptions: RoundOptions = {
  rounds: values.number('rounds'),
  withSpilling: values.has('spill'),
  others: Object.fromEntries(values.list('also').map((text) => text.split('=', 2) as [string, string])),
};
const skipped = new Set((values.text('skip') ?? '').split(','));
const say = (text: string) => process.stdout.write(`${text}\n`);
const log = (text: string) => process.stderr.write(`${text}\n`);

const settingOf = (events: number): StageSetting => ({
  events,
  days: values.number('days'),
  pageSize: values.number('page-size'),
  concurrency: values.number('concurrency'),
  seed: values.number('seed'),
  workFolder: values.text('work') ?? '',
  command: values.text('edrlake') ?? OWN_COMMAND,
});

const median = ({ contestants }: ComparisonFigures) => contestants.edrlake?.wallSeconds.median ?? Number.NaN;

async function compare(events: number) {
  const setting = settingOf(events);
  const stage = await openStage(setting);
  try {
    const rounds = await runRounds(stage, roundOptions, (entry) => {
      const { round, contestant, wallSeconds, cpuSeconds } = entry;
      log(`round ${round + 1}  ${contestant}: ${numberText(wallSeconds)} s, CPU ${numberText(cpuSeconds)} s`);
    });
    const checked = checkRows(rounds.stored, events);
    const figures = comparisonFigures(setting, rounds);
    say(`\n${numberText(events)} events over ${setting.days} days, ${roundOptions.rounds} rounds\n`);
    say(`${comparisonText(figures)}\n\n${checked}`);
    const again = skipped.has('again') ? null : await doAgain(stage, median(figures));
    if (again !== null) say(`\n${doneAgainText(again)}`);
    const results = skipped.has('again') ? null : await measureResults(stage);
    if (results !== null) say(`\n${resultsText(results)}`);
    const telemetry = skipped.has('telemetry') ? null : await measureTelemetry(stage);
    if (telemetry !== null) say(`\n${telemetryText(telemetry)}`);
    const compacted = skipped.has('compact') ? null : await compactLast(stage);
    if (compacted !== null) say(`\n${compactedText(compacted)}`);
    return { setting, figures, again, results, telemetry, compacted, rounds };
  } finally {
    await stage.close();
  }
}

/** On a lake of 1,000 days, which is kept where the user says so, because making it takes minutes. */
async function measureSmall() {
  const setting = settingOf(sizes[0] ?? 1);
  const kept = values.text('thousand-days');
  await mkdir(setting.workFolder, { recursive: true });
  const folder = kept === undefined ? await mkdtemp(join(setting.workFolder, 'days-')) : null;
  try {
    const lake = kept ?? join(folder ?? '', 'lake');
    const nights = await measureSmallNights(setting, lake);
    return { nights, startUp: await measureStartUp(setting.command, lake) };
  } finally {
    if (folder !== null) await rm(folder, { recursive: true, force: true });
  }
}

const machine = thisMachine();
say(machineText(machine));
const compared = [];
for (const events of sizes) compared.push(await compare(events));
const small = skipped.has('start-up') ? null : await measureSmall();
if (small !== null) say(`\n${smallNightsText(small.nights)}\n\n${startUpText(small.startUp)}`);
const targets = [
  ...compared.flatMap(({ figures, again, results, telemetry, compacted }) => [
    ...comparisonTargets(figures),
    ...(again === null ? [] : doneAgainTargets(again, figures.events)),
    ...(results === null ? [] : resultsTargets(results)),
    ...(telemetry === null ? [] : telemetryTargets(telemetry, figures.events)),
    ...(compacted === null ? [] : compactedTargets(compacted)),
  ]),
  ...growthTargets(compared.map(({ figures }) => figures)),
  ...(small === null ? [] : [...smallNightsTargets(small.nights), ...startUpTargets(small.startUp)]),
];
say(`\n${targetsText(targets)}`);
const file = values.text('json');
if (file !== undefined) {
  await writeFile(file, `${JSON.stringify({ machine, targets: judged(targets), small, compared }, null, 2)}\n`);
}
