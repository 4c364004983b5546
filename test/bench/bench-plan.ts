import type { TimelineProfile } from '@edrlake/simulator';
import { COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { openStage } from './comparison/stage.ts';
import type { Target } from './figures/targets.ts';
import { numberText, tableText } from './figures/text.ts';
import { reportResults, runProgram, settingFrom } from './stages/bench-stage.ts';

const USAGE = `npm run bench:plan -- [options]

Plans a range in three ways and fetches nothing: requests against the lower bound, and CPU time.`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  events: { ...COMMON_OPTIONS.events, default: '1000000' },
});
const setting = settingFrom(values);

/** Minutes and a second with more events than paging reaches. */
const BURSTS: TimelineProfile = { busyMinutes: 5, busySecondEvents: 11_000 };

/** The limits are those of the pager's tests, which hold them for a million events. */
const CASES: readonly { name: string; profile: TimelineProfile; histogram: 'auto' | 'off'; ratioLimit: number }[] = [
  { name: 'histograms', profile: {}, histogram: 'auto', ratioLimit: 1.05 },
  { name: 'histograms, bursts', profile: BURSTS, histogram: 'auto', ratioLimit: 1.1 },
  { name: 'counts only', profile: {}, histogram: 'off', ratioLimit: 1.25 },
];

const results = [];
for (const { name, profile, histogram, ratioLimit } of CASES) {
  const stage = await openStage(setting, profile);
  try {
    const order = { ...stage.stageOrder, histogram, folder: stage.folder };
    // The first run records the answers, and answers of the simulated gateway are slow.
    await runProgram('plan', order);
    await stage.gateway.take();
    const run = await runProgram('plan', order);
    const { forwarded } = await stage.gateway.take();
    results.push({ name, ratioLimit, forwarded, ...run.said });
  } finally {
    await stage.close();
  }
}

type Result = Readonly<Record<string, number>> & { readonly name: string };
const rows = (results as unknown as Result[]).map((result) => [
  result.name,
  ...['windows', 'planning', 'pages', 'ratio', 'seconds', 'cpuSeconds'].map((key) => numberText(result[key] ?? NaN)),
]);
const targets = (results as unknown as Result[]).map(
  ({ name, ratio = NaN, ratioLimit = NaN }): Target => ({
    name: `requests / lower bound, ${name}`,
    measured: ratio,
    bound: 'at most',
    limit: ratioLimit,
    unit: '×',
  }),
);
const title = `plan of ${numberText(setting.events)} events`;
const table = tableText([title, 'windows', 'planning', 'pages', 'ratio', 's', 'CPU s'], rows);
await reportResults(values, [table], targets, { setting, results });
