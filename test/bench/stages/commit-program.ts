import { appendFile, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { dayOf, type FetchedWindow, NO_FILTER, type StagedBatch, type WindowProof, windowOf } from '@edrlake/core';
import { QUALYS_EDR } from '@edrlake/datasets';
import { dropStagedBatch, recordShapeOf, stageBatch } from '@edrlake/flattener';
import { fieldTable, scanPage } from '@edrlake/pager';
import { openEdrLake } from '@edrlake/runner';
import { startSimulator } from '@edrlake/simulator';
import { report, timed } from './own-time.ts';
import { readOrder, SERVICES, type StageOrder } from './stage-order.ts';

// Commits many tiny batches to one lake and measures the time of each.

/** The options of this program. */
interface CommitOrder extends StageOrder {
  readonly commits: number;
  /** All events. */
  readonly events: number;
  /** Whether each commit has the events of its part of the time; else as many as any other, in order of time. */
  readonly isByTime: boolean;
}

const order = readOrder<CommitOrder>();
const { range, commits, events, isByTime, folder } = order;
const simulator = await startSimulator({ events, range });
const indexes = [...simulator.truth.indexes()];
const records = indexes.map(simulator.truth.text);
await simulator.close();
const lake = await openEdrLake(join(folder, 'lake'), { create: true, readOnly: false }, SERVICES);
const connection = await lake.connect();
const stepMs = Math.floor((range.endMs - range.startMs) / commits);
const byCommit = Array.from({ length: commits }, (): string[] => []);
for (const [position, text] of records.entries()) byCommit[commitOf(position, text)]?.push(text);
const stageSeconds: number[] = [];
const commitSeconds: number[] = [];
const cpuSeconds: number[] = [];
for (const [commitNo, lines] of byCommit.entries()) {
  const window = await spooled(commitNo, lines);
  const staged = await timed(() =>
    stageBatch(connection, [window], { dataset: QUALYS_EDR, prefix: 'bench', ingestDay: '2026-01-01' }),
  );
  const batch = staged.value;
  const request = { batch, proofs: [proofOf(window, batch)], runId: 'bench' };
  const committed = await timed(() => lake.commit(request));
  await dropStagedBatch(connection, batch);
  stageSeconds.push(staged.seconds);
  commitSeconds.push(committed.seconds);
  cpuSeconds.push(staged.cpuSeconds + committed.cpuSeconds);
}
await lake.close();
report({ stageSeconds, commitSeconds, cpuSeconds });

function commitOf(position: number, text: string): number {
  if (!isByTime) return Math.floor((position * commits) / records.length);
  const { dateTime } = JSON.parse(text) as { readonly dateTime: string };
  return Math.floor((Date.parse(dateTime) - range.startMs) / stepMs);
}

/** A window of some records, as fetching leaves it. */
async function spooled(commitNo: number, lines: readonly string[]): Promise<FetchedWindow> {
  const startMs = range.startMs + commitNo * stepMs;
  const query = { axis: 'event', range: { startMs, endMs: startMs + stepMs }, cuts: [], scope: NO_FILTER } as const;
  const window = windowOf(query);
  const directory = join(folder, 'pages');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  const path = join(directory, '0.ndjson');
  async function* body() {
    yield Buffer.from(`[${lines.join(',')}]`);
  }
  const write = (bytes: Uint8Array) => appendFile(path, bytes);
  const scanned = await scanPage(body(), { known: fieldTable(recordShapeOf(QUALYS_EDR), ['id', 'eventId']), write });
  const { recordCount, writtenBytes: bodyBytes, crc32 } = scanned;
  const page = { windowId: window.id, pageNumber: 0, path, bodyBytes, recordCount, crc32 };
  const numbers = { count: recordCount, bodyBytes, recordCount, distinctIds: recordCount, withoutId: 0 };
  return { window, pages: [page], ...numbers, verdict: 'complete' };
}

function proofOf({ window, count }: FetchedWindow, { windows }: StagedBatch): WindowProof {
  const { perDay = { [dayOf(window.range.startMs)]: count }, rejectedPerDay = {} } = windows[0] ?? {};
  const numbers = { counted: count, fetched: count, distinct: count, rejected: 0 };
  return { window, ...numbers, perDay, rejectedPerDay, verdict: 'proven', verifiedAtMs: SERVICES.clock.nowMs() };
}
