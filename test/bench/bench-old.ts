import { join } from 'node:path';
import { COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { freshFolder, openStage, type Stage } from './comparison/stage.ts';
import { type Spread, spreadBy, spreadOf } from './figures/spread.ts';
import type { Target } from './figures/targets.ts';
import { numberText, spreadText, tableText } from './figures/text.ts';
import { reportResults, runProgram, settingFrom } from './stages/bench-stage.ts';

const USAGE = `npm run bench:old -- [options]

The same events in a lake of many commits and in one of few, which divide neither their days nor their files in another
way: do commands cost more where the log is longer? Making them takes about a quarter of a CPU second a commit.`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  events: { ...COMMON_OPTIONS.events, default: '10000' },
  days: { ...COMMON_OPTIONS.days, default: '2000' },
  commits: { type: 'string', valueName: 'N', describe: 'Commits of the old lake', default: '2000' },
  few: { type: 'string', valueName: 'N', describe: 'Commits of the other one', default: '100' },
  rounds: { type: 'string', valueName: 'N', describe: 'How often each command is run', default: '5' },
});
const setting = settingFrom(values);
const [few, commits] = [values.number('few'), values.number('commits')];

/** CPU seconds of a command, in pairs. */
interface Compared {
  readonly command: string;
  readonly few: number[];
  readonly many: number[];
}

const stage = await openStage(setting);
try {
  const lakes = { few: await makeLake(stage, few), many: await makeLake(stage, commits) };
  const compared = await compareCommands(stage, lakes, values.number('rounds'));
  const rows = compared.map((one) => [
    one.command,
    spreadText(spreadOf(one.few)),
    spreadText(spreadOf(one.many)),
    spreadText(ratioOf(one)),
  ]);
  const names = ['CPU s', `${numberText(few)} commits`, `${numberText(commits)} commits`, 'ratio'];
  const title = `${numberText(setting.events)} events over ${numberText(setting.days)} days`;
  await reportResults(values, [title, tableText(names, rows)], compared.map(targetOf), { setting, compared });
} finally {
  await stage.close();
}

async function makeLake(on: Stage, ofCommits: number): Promise<string> {
  const folder = await freshFolder(on, `commits-${ofCommits}`);
  // By time, so that no day is divided between commits: both lakes have the same files.
  const order = { ...on.stageOrder, folder, commits: ofCommits, events: setting.events, isByTime: true };
  await runProgram('commit', order);
  const lake = join(folder, 'lake');
  // No event is processed after this day, so that each later sync finds nothing.
  await on.edrlake(['sync', '--since', '2026-01-01'], lake);
  return lake;
}

async function compareCommands(
  on: Stage,
  lakes: { readonly few: string; readonly many: string },
  rounds: number,
): Promise<Compared[]> {
  const day = new Date(setting.startMs ?? on.stageOrder.range.startMs).toISOString().slice(0, 10);
  const oneDay = `select count(*), max(score) from events where event_date = '${day}'`;
  const commands: Readonly<Record<string, (lake: string) => ReturnType<Stage['maintain']>>> = {
    status: (lake) => on.maintain(['status'], lake),
    'query of one day': (lake) => on.maintain(['query', oneDay], lake),
    'sync that finds nothing': (lake) => on.edrlake(['sync'], lake),
    'vacuum with nothing to do': (lake) => on.maintain(['vacuum'], lake),
  };
  const compared: Compared[] = [];
  for (const [command, run] of Object.entries(commands)) {
    const seconds: Compared = { command, few: [], many: [] };
    // The first round only brings the files into the page cache.
    for (let round = 0; round <= rounds; round += 1) {
      const order = round % 2 === 0 ? (['few', 'many'] as const) : (['many', 'few'] as const);
      for (const which of order) {
        await on.gateway.take(false);
        const { cpuSeconds } = await run(lakes[which]);
        if (round > 0) seconds[which].push(cpuSeconds);
      }
    }
    compared.push(seconds);
  }
  return compared;
}

function ratioOf({ few: base, many }: Compared): Spread {
  return spreadBy([...base.keys()], (round) => (many[round] ?? NaN) / (base[round] ?? NaN));
}

function targetOf(one: Compared): Target {
  return {
    name: `${one.command}, ${numberText(commits)} / ${numberText(few)} commits`,
    measured: ratioOf(one).median,
    ...{ bound: 'at most', limit: 1.1, unit: '×' },
    reason: 'each proof of the log is dated, and time is cut at the ends of all of them, in a sync more than once.',
    ...(commits !== 2_000 && { note: 'Wanted for 2,000 commits and 10,000 files.' }),
  };
}
