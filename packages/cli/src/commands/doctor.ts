import { EdrlakeError, ERROR_CODES, type ErrorCode, writeText } from '@edrlake/core';
import { datasetNamed } from '@edrlake/datasets';
import { type CheckResult, checkLake, diagnose, examineEdrLake } from '@edrlake/runner';
import { type CommandInput, defineCommand } from '../args/command.ts';
import { GATEWAY, OUTPUT, PLACE, PLATFORM } from '../args/option-groups.ts';
import type { FlagValues } from '../args/options.ts';
import { readCredentials } from '../config/credentials.ts';
import { lineWidth, type ProcessContext, pastingOf } from '../process/process-context.ts';
import { asPasted, type Pasting } from '../process/program-name.ts';
import { startDisplay } from '../progress/progress-display.ts';
import { connectionSettings, optionalRange, requireGateway, servicesOf } from '../session/connection-settings.ts';
import { lakeDirectory, objectLakeOf } from '../session/lake-access.ts';
import { withLakeToRead } from '../session/with-lake.ts';
import { writeJson } from '../text/json-output.ts';
import { padEnd, wrapWords } from '../text/text-width.ts';

const MARKS: Readonly<Record<CheckResult['status'], string>> = { ok: '✔', warn: '!', fail: '✘' };

/** `edrlake doctor` */
export const command = defineCommand({
  command: 'doctor',
  describe: 'Check login, time tokens, limits, clock and lake, and advise',
  details: [
    'Makes a few requests that change nothing, and looks at a sample of the lake. With --lake and neither --platform nor --base-url it looks at the lake alone, without a network: each file, checksum and id, and says for each damage what it means and the command that repairs it.',
    'Exit code 0 only where nothing is wrong, 1 when a check fails, 2 for credentials or settings.',
  ],
  flags: ['from', 'to', ...GATEWAY, ...PLATFORM, ...PLACE, 'dataset', 'memory-limit', ...OUTPUT],
  flagTexts: {
    from: { describe: 'First UTC day to look for events in', defaultText: '30 days ago' },
    to: { describe: 'Last UTC day to look for events in', defaultText: 'yesterday' },
  },
  examples: [
    { command: 'edrlake doctor --platform US1', purpose: 'before the first export' },
    { command: 'edrlake doctor --lake /data/edr', purpose: 'is the lake sound?' },
    { command: 'edrlake doctor --json', purpose: 'for a monitor' },
  ],
  run,
});

/**
 * Looks at everything an export depends on and says what to do about what is wrong; with --lake alone, only at the
 * lake.
 */
async function run(input: CommandInput, context: ProcessContext): Promise<number> {
  const { values, typed } = input;
  const isAboutLake = typed.has('lake') && !typed.has('platform') && !typed.has('base-url');
  const findings = isAboutLake
    ? await examined(values, context, false)
    : [...(await diagnosed(values, context)), ...(await examined(values, context, true))];
  const { stdout, env } = context;
  if (values.json) await writeJson(stdout, { ok: findings.every(({ status }) => status !== 'fail'), findings });
  else await writeText(stdout, findingsText(findings, lineWidth(stdout, env), pastingOf(context)));
  return exitCodeOf(findings);
}

/** Login, tokens, limits, clock and the place of the lake. */
async function diagnosed(values: FlagValues, context: ProcessContext): Promise<readonly CheckResult[]> {
  requireGateway(values);
  const credentials = await readCredentials(context.env, context.workingDirectory, context.account);
  const onLogin = await tenantCheck(values, context);
  const display = startDisplay({ ...values, 'no-progress': true }, context);
  try {
    const target = {
      // A user who looks for a fault does not wait for retries.
      settings: { ...connectionSettings(values, credentials, context.env), retryAttempts: 2, onLogin },
      lakeDirectory: lakeDirectory(values, context),
      ...objectLakeOf(values, context),
      range: optionalRange(values),
    };
    return await diagnose(target, servicesOf(context, display.emit));
  } finally {
    display.stop();
  }
}

/** Compares the customer of the login with that of the lake, where there is one that can be read. */
async function tenantCheck(values: FlagValues, context: ProcessContext): Promise<(tenant: string | null) => void> {
  try {
    return await withLakeToRead(values, context, async ({ refuseTenant }) => refuseTenant);
  } catch (thrown) {
    if (thrown instanceof EdrlakeError && thrown.code === 'LAKE_OTHER_SUBSCRIPTION') throw thrown;
    // What else is wrong with the lake has checks of its own.
    return () => {};
  }
}

/** What is in the lake; nothing where there is none and that is allowed. */
async function examined(
  values: FlagValues,
  context: ProcessContext,
  mayBeMissing: boolean,
): Promise<readonly CheckResult[]> {
  const directory = lakeDirectory(values, context);
  try {
    const options = {
      ...objectLakeOf(values, context),
      dataset: datasetNamed(values.dataset),
      memoryLimit: values['memory-limit'],
      // Beside the gateway the lake is one of many things, and a large one takes minutes to read.
      reads: mayBeMissing ? ('sample' as const) : ('all' as const),
    };
    const content = await examineEdrLake(
      directory,
      options,
      servicesOf(context, () => {}),
    );
    return mayBeMissing ? content : [await checkLake(directory), ...content];
  } catch (thrown) {
    if (mayBeMissing && thrown instanceof EdrlakeError && thrown.code === 'LAKE_MISSING') return [];
    throw thrown;
  }
}

/** Findings with their advice below them, then one line of sum. @param pasting for whom their commands are */
export function findingsText(
  findings: readonly CheckResult[],
  width: number,
  pasting: Pasting = { program: 'edrlake' },
): string {
  const nameWidth = Math.max(0, ...findings.map(({ name }) => name.length));
  const indent = ' '.repeat(nameWidth + 4);
  const textWidth = Math.max(30, Math.min(width, 110) - indent.length);
  const lines: string[] = [];
  for (const { name, status, found, advice } of findings) {
    const head = `${MARKS[status]} ${padEnd(name, nameWidth)}  `;
    lines.push(
      ...wrapWords(asPasted(found, pasting), textWidth).map((line, index) => `${index === 0 ? head : indent}${line}`),
    );
    if (advice !== null)
      lines.push(...wrapWords(`→ ${asPasted(advice, pasting)}`, textWidth).map((line) => `${indent}${line}`));
  }
  const count = (wanted: CheckResult['status']) => findings.filter(({ status }) => status === wanted).length;
  const [failed, warned] = [count('fail'), count('warn')];
  const sum =
    failed > 0
      ? `${failed} of ${findings.length} checks failed.`
      : warned > 0
        ? `Nothing failed; ${warned} of ${findings.length} checks deserve a look.`
        : 'All is well.';
  return `${[...lines, '', sum].join('\n')}\n`;
}

/** 2 where credentials or settings are what is wrong, as everywhere; else 1 for any failed check. */
function exitCodeOf(findings: readonly CheckResult[]): number {
  const failed = findings.filter(({ status }) => status === 'fail');
  if (failed.length === 0) return 0;
  const codes = failed.map(({ found }) => /\(([A-Z_]+)\)$/.exec(found)?.[1]).filter((code) => code !== undefined);
  return codes.some((code) => code in ERROR_CODES && ERROR_CODES[code as ErrorCode].exitCode === 2) ? 2 : 1;
}
