import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import type { BenchValues } from '../bench-options.ts';
import { OWN_COMMAND, type StageSetting } from '../comparison/stage.ts';
import { type MeasuredRun, runMeasured } from '../contestants/measured-process.ts';
import { machineText, thisMachine } from '../figures/machine.ts';
import { judged, type Target, targetsText } from '../figures/targets.ts';

/**
 * Runs one of the programs in this folder as a separate process. @returns its report, and the resources that it used
 */
export async function runProgram(
  name: 'plan' | 'fetch' | 'flatten' | 'commit',
  order: object,
): Promise<MeasuredRun & { readonly said: Readonly<Record<string, unknown>> }> {
  const run = await runMeasured(fileURLToPath(new URL(`./${name}-program.js`, import.meta.url)), [
    JSON.stringify(order),
  ]);
  return { ...run, said: JSON.parse(run.stdout) as Record<string, unknown> };
}

/** The common options as a stage needs them. */
export function settingFrom(values: BenchValues): StageSetting {
  return {
    events: values.number('events'),
    days: values.number('days'),
    pageSize: values.number('page-size'),
    concurrency: values.number('concurrency'),
    seed: values.number('seed'),
    workFolder: values.text('work') ?? '',
    command: OWN_COMMAND,
  };
}

/** Prints the results of a bench, targets last, and writes them as JSON where that was requested. */
export async function reportResults(
  values: BenchValues,
  tables: readonly string[],
  targets: readonly Target[],
  figures: object,
): Promise<void> {
  const machine = thisMachine();
  const judgement = targets.length === 0 ? [] : [targetsText(targets)];
  process.stdout.write(`${[machineText(machine), ...tables, ...judgement].join('\n\n')}\n`);
  const file = values.text('json');
  if (file !== undefined) {
    await writeFile(file, `${JSON.stringify({ machine, targets: judged(targets), ...figures }, null, 2)}\n`);
  }
}
