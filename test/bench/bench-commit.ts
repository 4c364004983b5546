import { COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { freshFolder, openStage } from './comparison/stage.ts';
import { spreadOf } from './figures/spread.ts';
import type { Target } from './figures/targets.ts';
import { numberText, tableText } from './figures/text.ts';
import { reportResults, runProgram, settingFrom } from './stages/bench-stage.ts';

const USAGE = `npm run bench:commit -- [options]

Commits many tiny batches into one lake: does the 1,000th cost more than the 10th?`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  events: { ...COMMON_OPTIONS.events, describe: 'Events in one commit', default: '20' },
  commits: { type: 'string', valueName: 'N', describe: 'Commits, one after the other', default: '1005' },
});
const setting = settingFrom(values);
const commits = values.number('commits');

const stage = await openStage(setting);
const folder = await freshFolder(stage, 'commits');
const order = { ...stage.stageOrder, folder, commits, events: commits * setting.events, isByTime: false };
const run = await runProgram('commit', order).finally(() => stage.close());
/** Of each commit, in their order. */
interface CommitTimes {
  readonly stageSeconds: number[];
  readonly commitSeconds: number[];
  readonly cpuSeconds: number[];
}
const times = run.said as unknown as CommitTimes;

/** Ten commits around the 10th, and the last ten. */
const GROUPS = [
  { from: 6, to: 15 },
  { from: Math.floor(commits / 10) - 4, to: Math.floor(commits / 10) + 5 },
  { from: commits - 9, to: commits },
].filter(({ from }, index) => index === 0 || from > 15);

const rows = GROUPS.map(({ from, to }) => {
  const medians = [times.stageSeconds, times.commitSeconds].map(
    (all) => spreadOf(all.slice(from - 1, to)).median * 1000,
  );
  return { from, to, stageMs: medians[0] ?? NaN, commitMs: medians[1] ?? NaN };
});
const table = tableText(
  [`commits of ${numberText(setting.events)} events`, 'flatten ms', 'commit ms'],
  rows.map(({ from, to, stageMs, commitMs }) => [`${from}–${to}`, numberText(stageMs), numberText(commitMs)]),
);
const [first, last] = [rows[0], rows.at(-1)];
const target: Target = {
  name: `commit ${numberText(last?.to ?? NaN)} / commit 10`,
  measured: (last?.commitMs ?? NaN) / (first?.commitMs ?? NaN),
  bound: 'at most',
  limit: 2,
  unit: '×',
};
const cpuTarget: Target = {
  name: `CPU, flatten and commit ${numberText(setting.events)} events`,
  measured: spreadOf(times.cpuSeconds).median,
  ...{ bound: 'at most', limit: 0.1, unit: 's' },
  reason: 'about 50 statements are planned for each commit, 2 ms a step of those with all 70 columns.',
  ...(setting.events !== 5 && { note: 'CPU time is wanted for --events 5.' }),
};
await reportResults(values, [table], [target, cpuTarget], { setting, commits, peakBytes: run.peakBytes, ...times });
