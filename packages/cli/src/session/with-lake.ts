import { closeAfter } from '@edrlake/core';
import type { Lake, LakeWriter } from '@edrlake/lake';
import { openEdrLake } from '@edrlake/runner/open-lake';
import type { FlagValues } from '../args/options.ts';
import type { ProcessContext } from '../process/process-context.ts';
import { servicesOf } from './connection-settings.ts';
import { lakeDirectory, lakeOptions, readerNotes } from './lake-access.ts';

/**
 * Opens the lake for reading, does the work and closes it, also after a failure. Notes about unfinished commits go to
 * stderr.
 * @throws {EdrlakeError} as `openLake`, and what the work throws
 */
export async function withLakeToRead<T>(
  values: FlagValues,
  context: ProcessContext,
  work: (lake: Lake) => Promise<T>,
  writer?: LakeWriter,
): Promise<T> {
  const options = { ...lakeOptions(values, context, 'read'), ...(writer === undefined ? {} : { writer }) };
  const services = servicesOf(context, readerNotes(context));
  const lake = await openEdrLake(lakeDirectory(values, context), options, services);
  return closeAfter(lake.close, () => work(lake));
}

/**
 * The same for a command that changes an existing lake without any request. What it waits for is written to stderr.
 * @throws {EdrlakeError} as `openLake`, `LAKE_MISSING` where there is none, and what the work throws
 */
export function withLakeToChange<T>(
  values: FlagValues,
  context: ProcessContext,
  work: (lake: Lake) => Promise<T>,
  writer?: LakeWriter,
): Promise<T> {
  return withLakeAtWork(
    { ...values, 'no-progress': true },
    context,
    { access: 'write', ...(writer && { writer }) },
    work,
  );
}

/** What a command does with a lake, and how it writes. */
interface LakeAccess {
  readonly access: 'read' | 'write';
  readonly writer?: LakeWriter;
}

/**
 * The same for a command that goes through all data files: stderr shows how many are done.
 * @throws {EdrlakeError} as `openLake`, `LAKE_MISSING` where there is none, and what the work throws
 */
export async function withLakeAtWork<T>(
  values: FlagValues,
  context: ProcessContext,
  { access, writer }: LakeAccess,
  work: (lake: Lake) => Promise<T>,
): Promise<T> {
  // Commands that only read start without it.
  const { lakeProgress } = await import('../progress/lake-progress.ts');
  const { startDisplay } = await import('../progress/progress-display.ts');
  const display = startDisplay(values, context, lakeProgress(context.clock.nowMs()));
  try {
    const options = { ...lakeOptions(values, context, access), create: false, ...(writer && { writer }) };
    const lake = await openEdrLake(lakeDirectory(values, context), options, servicesOf(context, display.emit));
    return await closeAfter(lake.close, () => work(lake));
  } finally {
    display.stop();
  }
}
