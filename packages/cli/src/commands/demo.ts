import { access, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  countText,
  durationText,
  EdrlakeError,
  MS_PER_DAY,
  makeFolder,
  NO_FILTER,
  newRunId,
  nounText,
  parseRange,
  startOfDayMs,
} from '@edrlake/core';
import type { DayCoverage, Lake } from '@edrlake/lake';
import {
  type ConnectionSettings,
  connectSharing,
  type ExportPlan,
  exportRange,
  openEdrLake,
  planExport,
} from '@edrlake/runner';
import { type LakeStatus, readLakeStatus } from '@edrlake/runner/history';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { PLACE } from '../args/option-groups.ts';
import { collectRows } from '../demo/collect-rows.ts';
import { DEMO_QUERIES } from '../demo/demo-queries.ts';
import { answersDocument, closingText, type DemoAnswer, provenText, questionsText } from '../demo/demo-text.ts';
import { startSimulatedGateway } from '../demo/simulated-gateway.ts';
import { lineWidth, type ProcessContext, writeMessage } from '../process/process-context.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { serveLake, USUAL_PORT } from '../query/serve-lake.ts';
import { reportDocument, reportText } from '../render/report-text.ts';
import { coverageDocument, tablesText } from '../render/status-text.ts';
import { connectionSettings, servicesOf } from '../session/connection-settings.ts';
import { lakeAddress, lakeDirectory, lakeName, lakeOptions } from '../session/lake-access.ts';
import { BATCH_BYTES } from '../session/lake-session.ts';
import { writeJson } from '../text/json-output.ts';

const EVENTS = 120_000;
const RANGE = parseRange('2020-08-17', '2020-08-23');
const REQUEST = { axis: 'event', ranges: [{ range: RANGE }], scope: NO_FILTER } as const;
/** One minute of the week holds more events than a query can reach. */
const SIMULATED = ['--events', String(EVENTS), '--seed', '7', '--busy-minutes', '1', '--rate-limit', 'none'];
/** Of the simulated gateway, as of the real one. */
const MAX_RESULT_WINDOW = 10_000;
/** Says that a lake holds made-up events: nothing but a demo writes into it again. */
const MARKER = 'demo.json';

/** `edrlake demo` */
export const command = defineCommand({
  command: 'demo',
  describe: 'Export a simulated week and query it, with nothing to set up',
  details: [
    'Starts a simulated gateway on this machine, plans and exports 120,000 events of seven days, proves them against its counts and asks the lake three questions. Needs no network and no account. A second run finds nothing new.',
  ],
  flags: [...PLACE, 'memory-limit', 'threads', 'serve', 'port', 'json', 'log-level', 'no-progress'],
  flagTexts: {
    port: { describe: 'Port of the page; 0 takes a free one', defaultText: '8090' },
    lake: { describe: 'Directory of the lake, or s3://BUCKET/PREFIX', defaultText: './lake/demo' },
  },
  examples: [
    { command: 'edrlake demo', purpose: 'the lake is kept in ./lake/demo' },
    { command: 'edrlake demo --serve', purpose: 'and its page in the browser' },
    { command: 'edrlake demo --lake /tmp/demo', purpose: 'the same, elsewhere' },
  ],
  run,
});

/** The main job with nothing to set up: simulate, plan, export, prove, ask; then the page, if wanted. */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const values = input.typed.has('lake') ? input.values : { ...input.values, lake: 'lake/demo' };
  const exitCode = await exportAndAsk({ ...input, values }, context);
  if (values.serve && exitCode === 0) {
    const place = { host: '127.0.0.1', port: values.port ?? USUAL_PORT, tokenFile: null };
    await serveLake({ values, typed: new Set([...input.typed, 'lake']) }, place, context);
  }
  return exitCode;
}

/** The lake is kept. */
async function exportAndAsk({ values }: CommandInput, context: ProcessContext): Promise<number> {
  const startedAtMs = context.clock.nowMs();
  const directory = lakeDirectory(values, context);
  const lakeText = lakeName(values, context);
  const say = async (text: string) => {
    if (!values.json) await writeMessage(context, `${text}\n`);
  };
  const width = lineWidth(context.stdout, context.env);
  if (lakeAddress(values) !== null) await refuseOtherLake(directory, values, context);
  await claimDirectory(directory);
  const gateway = await startSimulatedGateway(SIMULATED, directory, context);
  try {
    await say(`Simulated gateway: ${nounText(EVENTS, 'event')} of seven days at ${gateway.url}\n`);
    const settings = connectionSettings(
      { ...values, platform: null, 'base-url': gateway.url, 'rate-limit': 'none' },
      { username: gateway.username, password: gateway.password },
      {},
    );
    const { plan, report } = await exportWeek(settings, directory, values, context, say);
    await say(reportText(report, width).replace(/\nNext: .*\n$/, ''));
    const lake = await openEdrLake(
      directory,
      lakeOptions(values, context, 'read'),
      servicesOf(context, () => {}),
    );
    try {
      const status = await readLakeStatus(lake, { userLimit: null, nowMs: context.clock.nowMs() });
      await say(`What the lake holds:\n\n${tablesText(status.tables, width)}\n`);
      const proof = await countAgain(settings, directory, status, context);
      await say(`The proof, each day counted once more by the API:\n\n${provenText(proof, width)}\n`);
      const answers = await ask(lake, context.signal);
      await say(questionsText(answers, width));
      const durationMs = context.clock.nowMs() - startedAtMs;
      await say(closingText(lakeText, context.workingDirectory, durationMs));
      if (values.json) await writeJson(context.stdout, document(lakeText, plan, report, status, answers, durationMs));
      return proof.every(({ counted, inLake }) => counted === inLake) ? 0 : 4;
    } finally {
      await lake.close();
    }
  } finally {
    await gateway.stop();
  }
}

async function exportWeek(
  settings: ConnectionSettings,
  directory: string,
  values: CommandInput['values'],
  context: ProcessContext,
  say: (text: string) => Promise<void>,
) {
  const plan = await planWeek(settings, directory, context);
  await say(planSentence(plan));
  const display = startDisplay(values, context);
  const services = servicesOf(context, display.emit);
  // A connection of its own, so that the report counts the requests of the export alone.
  const connection = await connectSharing(settings, sharingOf(directory), services);
  try {
    const lake = await openEdrLake(directory, lakeOptions(values, context, 'write'), services);
    try {
      const ends = { source: connection.source, lake, requestsMade: connection.requestsMade };
      const options = { concurrency: values.concurrency, batchBytes: BATCH_BYTES, force: false, replace: false };
      const report = await exportRange(ends, REQUEST, options, { ...services, newRunId: newRunId(context) });
      return { plan, report };
    } finally {
      await lake.close();
    }
  } finally {
    display.stop();
    await connection.close();
  }
}

/** The requests of the demo are logged beside its lake, as those of a backfill are. */
function sharingOf(directory: string) {
  return { lakeDirectory: directory, priority: 'normal', command: 'demo' } as const;
}

async function planWeek(settings: ConnectionSettings, directory: string, context: ProcessContext): Promise<ExportPlan> {
  const services = servicesOf(context, () => {});
  const connection = await connectSharing(settings, sharingOf(directory), services);
  try {
    return await planExport(connection.source, REQUEST, services);
  } finally {
    await connection.close();
  }
}

function planSentence(plan: ExportPlan): string {
  const { windows } = plan.windowPlan;
  const shortest = Math.min(...windows.map(({ window }) => window.range.endMs - window.range.startMs));
  return [
    `Plan: ${nounText(windows.length, 'window')} of at most ${countText(MAX_RESULT_WINDOW)} events, the shortest ${durationText(shortest)} long;`,
    `${nounText(plan.requests.planned, 'request')}, ${countText(plan.requests.lowerBound)} at least, ${durationText((plan.requests.planned / 300) * 3_600_000)} at 300 an hour.\n`,
  ].join('\n');
}

/** @throws {EdrlakeError} `USAGE` for a lake that holds other data, `LAKE_UNWRITABLE` where nothing can be written */
async function claimDirectory(directory: string): Promise<void> {
  const marker = join(directory, MARKER);
  const isDemo = await isThere(marker);
  if (!isDemo && (await isThere(join(directory, '_log')))) {
    throw otherData(directory);
  }
  await makeFolder(directory);
  try {
    if (!isDemo) await writeFile(marker, `${JSON.stringify({ madeBy: 'edrlake demo', events: 'simulated' })}\n`);
  } catch (error) {
    throw new EdrlakeError(
      'LAKE_UNWRITABLE',
      `cannot write ${directory}: ${String((error as { code?: unknown }).code)}`,
      {
        cause: error,
        hint: 'Choose another directory with --lake.',
      },
    );
  }
}

/** A lake in an object store may hold data that this machine knows nothing of. @throws {EdrlakeError} `USAGE` */
async function refuseOtherLake(
  directory: string,
  values: CommandInput['values'],
  context: ProcessContext,
): Promise<void> {
  if (await isThere(join(directory, MARKER))) return;
  const services = servicesOf(context, () => {});
  const lake = await openEdrLake(directory, lakeOptions(values, context, 'read'), services).catch((thrown) => {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING') return null;
    throw thrown;
  });
  if (lake === null) return;
  await lake.close();
  throw otherData(lake.address);
}

function otherData(lake: string): EdrlakeError {
  return new EdrlakeError('USAGE', `${lake} is a lake with other data; the demo writes made-up events`, {
    hint: 'Choose another place with --lake.',
  });
}

/** Each day counted once more by the API, beside what the lake holds. */
async function countAgain(
  settings: ConnectionSettings,
  directory: string,
  status: LakeStatus,
  context: ProcessContext,
): Promise<DayCoverage[]> {
  const connection = await connectSharing(
    settings,
    sharingOf(directory),
    servicesOf(context, () => {}),
  );
  try {
    const days: DayCoverage[] = [];
    for (const day of status.days) {
      const startMs = startOfDayMs(day.day);
      const range = { startMs, endMs: startOfDayMs(day.lastDay) + MS_PER_DAY };
      const query = { axis: 'event', range, cuts: [], scope: NO_FILTER } as const;
      days.push({ ...day, counted: await connection.source.count(query, context.signal) });
    }
    return days;
  } finally {
    await connection.close();
  }
}

async function ask(lake: Lake, signal: AbortSignal): Promise<DemoAnswer[]> {
  const answers: DemoAnswer[] = [];
  for (const question of DEMO_QUERIES)
    answers.push({ ...question, ...(await collectRows(lake, question.sql, signal)) });
  return answers;
}

function document(
  directory: string,
  plan: ExportPlan,
  report: Parameters<typeof reportDocument>[0],
  status: LakeStatus,
  answers: readonly DemoAnswer[],
  durationMs: number,
) {
  return {
    lake: directory,
    plan: { windows: plan.windowPlan.windows.length, events: plan.windowPlan.events, requests: plan.requests },
    report: reportDocument(report),
    tables: status.tables,
    coverage: coverageDocument(status.days),
    questions: answersDocument(answers),
    durationMs,
  };
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
