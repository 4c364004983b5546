import { EdrlakeError } from '@edrlake/core';
import type { MetricFamily } from '@edrlake/telemetry';
import type { RunCommand } from '../args/command.ts';
import type { FlagValues } from '../args/options.ts';
import { lineWidth, type ProcessContext } from '../process/process-context.ts';
import { wrapWords } from '../text/text-width.ts';

/** The longest that the last spans and metrics may hold a command back. */
const SEND_MS = 10_000;
/** After Ctrl-C. */
const SEND_STOPPED_MS = 800;

/** The same command, which sends traces and metrics of what it does where `--telemetry` asks for it. */
export function observed(command: string, run: RunCommand): RunCommand {
  return async (input, context) => {
    const { values } = input;
    if (values.telemetry === 'off') return run(input, context);
    const { openOtlp } = await import('@edrlake/telemetry/otlp');
    const { clock, version, env, signal, stderr } = context;
    const otlp = await openOtlp({ clock, command, version, env });
    const observe = (event: Parameters<typeof otlp.emit>[0]) => {
      context.observe?.(event);
      otlp.emit(event);
    };
    let exitCode = 1;
    try {
      exitCode = await run(input, { ...context, observe });
      return exitCode;
    } catch (thrown) {
      if (thrown instanceof EdrlakeError) exitCode = thrown.exitCode;
      throw thrown;
    } finally {
      const lake = signal.aborted ? [] : await lakeFamilies(values, context);
      const problem = await otlp.end(exitCode, lake, signal.aborted ? SEND_STOPPED_MS : SEND_MS);
      const warning = `edrlake: telemetry: ${problem}. The command itself is not affected.`;
      if (problem !== null) stderr.write(`${wrapWords(warning, lineWidth(stderr, env)).join('\n')}\n`);
    }
  };
}

/** The lake as the command left it; nothing where it cannot be read, which the command itself has said. */
async function lakeFamilies(values: FlagValues, context: ProcessContext): Promise<readonly MetricFamily[]> {
  const { readLakeMetrics } = await import('./lake-metrics.ts');
  return readLakeMetrics(values, context).catch(() => []);
}
