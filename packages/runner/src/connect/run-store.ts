import { join } from 'node:path';
import { EdrlakeError, makeFolder, unwritable, writeAtomic } from '@edrlake/core';
import { mapAtOnce, type ObjectLake, type ObjectStore, openS3, REQUEST_CONCURRENCY } from '@edrlake/lake';
import { readJournal } from '../journal/journal-file.ts';
import type { PipelineLine } from '../workflow/state/run-state.ts';

// A run whose tasks several machines did has a part of its journal on each. Beside a lake in an object store the whole
// is kept when it has ended, so that every machine can show it.

/** Journals that are looked at, the newest first: a list shows fewer. */
const MOST_FETCHED = 100;

/** Keeps the whole journal of a run that has ended, beside its lake. */
export async function keepEndedRun(lake: ObjectLake, runId: string, lines: readonly PipelineLine[]): Promise<void> {
  const text = lines.map((line) => `${JSON.stringify(line)}\n`).join('');
  await withRuns(lake, (objects, folder) => objects.put(`${folder}${runId}.jsonl`, text));
}

/**
 * Brings the journals of runs that have ended to this machine, where it has none or only a part.
 * @returns why it could not; null where it could
 */
export async function fetchEndedRuns(lake: ObjectLake, runsDirectory: string): Promise<EdrlakeError | null> {
  try {
    await withRuns(lake, async (objects, folder) => {
      const newest = (await objects.list(folder)).slice(-MOST_FETCHED);
      await makeFolder(runsDirectory);
      await mapAtOnce(newest, REQUEST_CONCURRENCY, async ({ key }) => {
        const runId = key.slice(folder.length).replace(/\.jsonl$/, '');
        const known = await readJournal(runsDirectory, runId);
        if (known.at(-1)?.type === 'pipeline-end') return;
        const text = await objects.get(key);
        const path = join(runsDirectory, `${runId}.jsonl`);
        const refusal = (_: string, thrown: unknown) => unwritable(path, thrown);
        if (text !== null) await writeAtomic(path, text, { temporary: `${path}.part`, refusal, syncs: 'bytes' });
      });
    });
    return null;
  } catch (thrown) {
    if (thrown instanceof EdrlakeError) return thrown;
    throw thrown;
  }
}

async function withRuns<T>(
  { address, s3 }: ObjectLake,
  work: (objects: ObjectStore, folder: string) => Promise<T>,
): Promise<T> {
  const objects = await openS3(address.bucket, s3 ?? {});
  try {
    return await work(objects, `${address.prefix === '' ? '' : `${address.prefix}/`}_runs/`);
  } finally {
    objects.close();
  }
}
