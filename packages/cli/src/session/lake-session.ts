import { closeAfter, EdrlakeError, newRunId } from '@edrlake/core';
import type { Lake, LakeWriter } from '@edrlake/lake';
import type { Connection, ExportEndpoints, ExportOptions, ExportReport, RunServices, Services } from '@edrlake/runner';
import type { FlagValues } from '../args/options.ts';
import { readCredentials } from '../config/credentials.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { requireReachable } from '../process/reachability.ts';
import type { ProgressDisplay } from '../progress/progress-display.ts';
import { writeError } from '../text/error-text.ts';
import { connectionSettings, requireGateway, servicesOf } from './connection-settings.ts';
import { lakeDirectory, lakeOptions, objectLakeOf, ownerOf } from './lake-access.ts';

/** Spooled pages that are flattened and committed together. */
export const BATCH_BYTES = 64 * 1024 * 1024;

/** The exit code for each end of an export. */
export const EXPORT_EXIT_CODES: Readonly<Record<ExportReport['outcome'], number>> = {
  done: 0,
  partly: 3,
  mismatch: 4,
  rejected: 6,
};

/** An open lake, an open connection, and what flows between the two need. */
export interface LakeSession {
  readonly lake: Lake;
  readonly connection: Connection;
  readonly ends: ExportEndpoints;
  readonly options: ExportOptions;
  /** Each call gives services with a new run id. */
  runServices(): RunServices;
  readonly services: Services;
}

/** What a session is for. */
interface SessionKind {
  /** Its name, for the log of requests. */
  readonly command: string;
  readonly display: ProgressDisplay;
  /** Of its requests among all that work on this lake: `high` for what runs every night. */
  readonly priority: 'high' | 'normal';
  readonly writer: LakeWriter;
}

/**
 * Connects and opens the lake for writing, does the work and closes both, also after a failure; the display is stopped
 * at the end. Then the result is shown. Where only `lake.duckdb` could not be written, a warning follows it, and the
 * exit code is that of the warning.
 * @param show writes the result and resolves to its exit code
 * @throws {EdrlakeError} `USAGE`, `CREDENTIALS_MISSING`, `URL_INVALID`, `CONFIG_INVALID`, `HOST_UNREACHABLE`,
 * `LAKE_UNWRITABLE` before any request
 */
export async function withLakeSession<T>(
  values: FlagValues,
  context: ProcessContext,
  about: SessionKind,
  work: (session: LakeSession) => Promise<T>,
  show: (result: T) => Promise<number>,
): Promise<number> {
  const { stale, result } = await inSession(values, context, about, work);
  const exitCode = await show(result);
  if (stale === null) return exitCode;
  await writeError(context, stale);
  return stale.exitCode;
}

async function inSession<T>(
  values: FlagValues,
  context: ProcessContext,
  { command, display, priority, writer }: SessionKind,
  work: (session: LakeSession) => Promise<T>,
): Promise<{ readonly result: T; readonly stale: EdrlakeError | null }> {
  let stale: EdrlakeError | null = null;
  const keepStale = (thrown: unknown) => {
    if (!(thrown instanceof EdrlakeError && thrown.code === 'VIEWS_STALE')) throw thrown;
    stale = thrown;
  };
  try {
    requireGateway(values);
    const credentials = await readCredentials(context.env, context.workingDirectory, context.account);
    const { connectSharing, openEdrLake, tenantGate } = await import('@edrlake/runner');
    const gate = tenantGate(ownerOf(context));
    const services = servicesOf(context, display.emit);
    const directory = lakeDirectory(values, context);
    const settings = { ...connectionSettings(values, credentials, context.env), onLogin: gate.onLogin };
    const connection = await connectSharing(
      settings,
      { lakeDirectory: directory, priority, command, ...objectLakeOf(values, context) },
      services,
    );
    const result = await closeAfter(connection.close, async () => {
      await requireReachable({ baseUrl: connection.baseUrl, proxy: connection.client.proxy }, context, display.emit);
      const options = { ...lakeOptions(values, context, 'write'), writer, ...gate.lakeOptions };
      const lake = await openEdrLake(directory, options, services);
      const close = () => lake.close().catch(keepStale);
      return await closeAfter(close, async () => {
        gate.guard(lake);
        return work({
          lake,
          connection,
          services,
          ends: { source: connection.source, lake, requestsMade: connection.requestsMade },
          options: exportOptions(values, context),
          runServices: () => ({ ...services, newRunId: newRunId(context) }),
        });
      });
    });
    return { result, stale };
  } finally {
    display.stop();
  }
}

/** How the settings want exports to be made. */
function exportOptions(values: FlagValues, { version }: ProcessContext): ExportOptions {
  return {
    concurrency: values.concurrency,
    batchBytes: BATCH_BYTES,
    force: values.force,
    replace: values.replace,
    maxRejectShare: values['max-reject-share'],
    edrlakeVersion: version,
  };
}
