import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { COMMON_OPTIONS, readOptions } from './bench-options.ts';
import { freshFolder, openStage, type Stage } from './comparison/stage.ts';
import { type Spread, spreadOf } from './figures/spread.ts';
import type { Target } from './figures/targets.ts';
import { mebibytes, numberText, spreadText, tableText } from './figures/text.ts';
import { reportResults, settingFrom } from './stages/bench-stage.ts';
import { huntInLake, huntInPlainFiles, huntsFor } from './stages/hunts.ts';
import { sizeOfFiles, withViews, writePlainFiles } from './stages/plain-files.ts';
import { questionsFor } from './stages/questions.ts';

const USAGE = `npm run bench:query -- [options]

Asks a lake and the same rows as DuckDB writes them by default the same questions, each in a DuckDB just started; and
hunts in the lake what a query of all columns with hashes finds in the plain files.
The targets are stated for 5,000,000 events in 30 days, and of hunts also for --days 1000; these take their time to
make: --events 5000000 --lake DIR keeps them.`;

const values = readOptions(USAGE, {
  ...COMMON_OPTIONS,
  events: { ...COMMON_OPTIONS.events, default: '1000000' },
  days: { ...COMMON_OPTIONS.days, default: '30' },
  rounds: { type: 'string', valueName: 'N', describe: 'How often each question is asked', default: '9' },
  lake: { type: 'string', valueName: 'DIR', describe: 'Keep the lake there, or use the one there' },
  compact: { type: 'boolean', describe: 'Merge small files first, as a nightly run does' },
});
const setting = settingFrom(values);

/** The time of both for one question. */
interface Answered {
  readonly question: { readonly name: string; readonly speedUp: number; readonly reason: string };
  readonly rows: number;
  readonly lakeMs: Spread;
  readonly plainMs: Spread;
}

const stage = await openStage(setting);
try {
  const lake = await makeLake(stage);
  const plain = await freshFolder(stage, 'plain');
  await writePlainFiles(lake, plain, join(stage.folder, 'spill'));
  const answered = await askAll(lake, plain, values.number('rounds'));
  const sizes = { lake: await sizeOfFiles(lake), plain: await sizeOfFiles(plain) };
  await reportResults(values, tablesOf(answered, sizes), targetsOf(answered, sizes), { setting, sizes, answered });
} finally {
  await stage.close();
}

async function makeLake(on: Stage): Promise<string> {
  const lake = values.text('lake') ?? join(on.folder, 'lake');
  // Each answer is requested once, so none is recorded.
  await on.gateway.take(false);
  if (!existsSync(lake)) await on.edrlake(['backfill', ...on.range], lake);
  if (values.has('compact')) await on.maintain(['compact'], lake);
  await on.maintain(['index'], lake);
  return lake;
}

async function askAll(lake: string, plain: string, rounds: number): Promise<Answered[]> {
  const { questions, hunts } = await withViews(plain, async (connection) => ({
    questions: await questionsFor(connection),
    hunts: await huntsFor(connection, setting.days),
  }));
  const asked: readonly Asked[] = [
    ...questions.map((question) => {
      const of = (folder: string) => () => ask(folder, question.sql);
      return { question, lake: of(lake), plain: of(plain) };
    }),
    ...hunts.map((question) => ({
      question,
      lake: () => huntInLake(lake, question.hashes),
      plain: () => huntInPlainFiles(plain, question.hashes),
    })),
  ];
  const answered: Answered[] = [];
  for (const { question, ...ways } of asked) {
    const times = { lake: [] as number[], plain: [] as number[] };
    const rows = { lake: 0, plain: 0 };
    // The first round only brings the files into the page cache.
    for (let round = 0; round <= rounds; round += 1) {
      for (const name of ['lake', 'plain'] as const) {
        const answer = await ways[name]();
        rows[name] = answer.rows;
        if (round > 0) times[name].push(answer.milliseconds);
      }
    }
    if (rows.lake !== rows.plain) {
      throw new Error(`${question.name}: ${rows.lake} rows in the lake, ${rows.plain} in the plain files`);
    }
    answered.push({ question, rows: rows.lake, lakeMs: spreadOf(times.lake), plainMs: spreadOf(times.plain) });
  }
  return answered;
}

/** A question, and how each side answers it. */
interface Asked {
  readonly question: Answered['question'];
  readonly lake: () => Promise<{ readonly rows: number; readonly milliseconds: number }>;
  readonly plain: () => Promise<{ readonly rows: number; readonly milliseconds: number }>;
}

/** The time of the statement itself; opening views is the same for both. */
function ask(folder: string, sql: string): Promise<{ readonly rows: number; readonly milliseconds: number }> {
  return withViews(folder, async (connection) => {
    const startedAt = performance.now();
    const reader = await connection.runAndReadAll(sql);
    return { rows: reader.currentRowCount, milliseconds: performance.now() - startedAt };
  });
}

function tablesOf(answered: readonly Answered[], sizes: { readonly lake: number; readonly plain: number }): string[] {
  const rows = answered.map(({ question, rows: found, lakeMs, plainMs }) => [
    question.name,
    numberText(found),
    spreadText(lakeMs),
    spreadText(plainMs),
  ]);
  return [
    `${numberText(setting.events)} events over ${setting.days} days`,
    tableText(['question', 'rows', 'lake ms', 'plain ms'], rows),
    `Files: ${numberText(mebibytes(sizes.lake))} MiB in the lake, ${numberText(mebibytes(sizes.plain))} MiB plain.`,
  ];
}

function targetsOf(answered: readonly Answered[], sizes: { readonly lake: number; readonly plain: number }): Target[] {
  const note = { note: 'Wanted for 5,000,000 events over 30 days; of the long list for 20,000,000 over 1,000.' };
  return [
    ...answered.map(
      ({ question, lakeMs, plainMs }): Target => ({
        name: `${question.name}, times as fast`,
        measured: plainMs.median / lakeMs.median,
        bound: 'at least',
        limit: question.speedUp,
        unit: '×',
        reason: question.reason,
        ...(setting.events === 5_000_000 ? {} : note),
      }),
    ),
    { name: 'size of files / plain', measured: sizes.lake / sizes.plain, bound: 'at most', limit: 1, unit: '×' },
  ];
}
