import type { RequestPriority } from '@edrlake/client';
import {
  type Clock,
  didYouMean,
  EdrlakeError,
  type EventSource,
  startOfDayMs,
  type TableFormat,
  type TimeRange,
} from '@edrlake/core';
import type { Lake, ObjectLake, WantedOwner } from '@edrlake/lake';
import type { OcsfPlace } from '@edrlake/ocsf/names';
import { z } from 'zod';
import type { Connection, ConnectionSettings, SourceConnection } from '../connect/connect.ts';
import { openEdrLake } from '../connect/open-lake.ts';
import { connectBeside, connectSharing } from '../connect/shared-connection.ts';
import { tenantGate } from '../connect/tenant-gate.ts';
import type { ExportOptions, RunServices, Services } from '../run/types.ts';
import type { TaskContext } from '../workflow/definition/define-pipeline.ts';
import type { PostJson } from '../workflow/engine/hooks.ts';

/** What the run of a pipeline lends to its tasks. */
export interface TaskTools {
  /** Works on the lake and its source. One task at a time, because all tasks share one lake. */
  useLake<T>(work: (ends: TaskEndpoints) => Promise<T>, services: Services): Promise<T>;
  /** Only sends requests, to describe what a task would do: nothing is created on disk. */
  askSource<T>(ask: (source: EventSource) => Promise<T>): Promise<T>;
  readonly exportOptions: Pick<ExportOptions, 'concurrency' | 'batchBytes' | 'maxRejectShare' | 'edrlakeVersion'>;
  /** Makes the id of a new export run. */
  readonly newRunId: () => string;
  readonly post: PostJson;
  /** The folder with the lists of standing hunts; `hunts` in the working directory unless given. */
  readonly huntsDirectory?: string;
  /** The place that `to` of a task names: a folder, or a prefix of a bucket and how to reach it. */
  readonly placeOf: (to: string) => OcsfPlace;
}

/** An open lake and an open connection. */
export interface TaskEndpoints {
  readonly lake: Lake;
  readonly connection: SourceConnection;
}

/** The same, opened here. */
interface OpenEnds extends TaskEndpoints {
  readonly connection: Connection;
}

/** Tools that open the lake and the connection at their first use. Close them when the run has ended. */
export interface OpenTools extends TaskTools {
  useLake<T>(work: (ends: OpenEnds) => Promise<T>, services: Services): Promise<T>;
  close(): Promise<void>;
}

/** What the tools of a run are made from. */
export interface ToolSettings {
  readonly connection: ConnectionSettings;
  readonly lakeDirectory: string;
  /** Where the lake is, if in an object store. */
  readonly objects?: ObjectLake;
  /** The subscription that it is for; null for none. */
  readonly owner?: Omit<WantedOwner, 'tenant'> | null;
  readonly memoryLimit?: string;
  readonly threads?: number;
  /** Table formats that the lake is published in after each commit. */
  readonly publishes?: readonly TableFormat[];
  readonly exportOptions: TaskTools['exportOptions'];
  readonly newRunId: () => string;
  readonly post: PostJson;
  /** The folder with the lists of standing hunts; `hunts` in the working directory unless given. */
  readonly huntsDirectory?: string;
  readonly placeOf: TaskTools['placeOf'];
  /** The priority of its requests in the shared limiter. */
  readonly priority: RequestPriority;
  /** What its requests are logged as, such as `run nightly`. */
  readonly command: string;
  /**
   * The longest wait for the rate limit, and for the tasks before it; a task then fails with `REQUESTS_SPENT`, or with
   * `RUN_BUSY`. Absent: it waits.
   */
  readonly patienceMs?: () => number;
}

/** Nothing is opened or requested before a task needs it. */
export function openTaskTools(settings: ToolSettings, services: Services): OpenTools {
  let ends: Promise<OpenEnds> | null = null;
  let asked: Promise<Connection> | null = null;
  let tail: Promise<void> = Promise.resolve();
  const { lakeDirectory, priority, command, patienceMs } = settings;
  const sharing = {
    ...{ lakeDirectory, priority, command },
    ...(settings.objects && { objects: settings.objects }),
    ...(patienceMs && { patienceMs }),
  };
  const gate = tenantGate(settings.owner ?? null);
  const openEnds = async (): Promise<OpenEnds> => {
    const { memoryLimit, threads, objects, publishes } = settings;
    const { dataset } = settings.connection;
    const options = {
      ...(dataset && { dataset }),
      create: true,
      readOnly: false,
      ...(objects && { objects }),
      ...(memoryLimit && { memoryLimit }),
      ...(threads && { threads }),
      ...(publishes && { publishes }),
      ...gate.lakeOptions,
    };
    const lake = await openEdrLake(settings.lakeDirectory, options, services);
    try {
      gate.guard(lake);
      const connection = { ...settings.connection, onLogin: gate.onLogin };
      return { lake, connection: await connectSharing(connection, sharing, services) };
    } catch (thrown) {
      await lake.close();
      throw thrown;
    }
  };
  return {
    exportOptions: settings.exportOptions,
    newRunId: settings.newRunId,
    post: settings.post,
    ...(settings.huntsDirectory === undefined ? {} : { huntsDirectory: settings.huntsDirectory }),
    placeOf: settings.placeOf,
    useLake: async (work, { clock, signal }) => {
      const before = tail;
      let isOver = () => {};
      const over = new Promise<void>((resolve) => {
        isOver = resolve;
      });
      tail = before.then(() => over);
      try {
        await untilTurn(before, patienceMs?.() ?? Number.POSITIVE_INFINITY, clock);
        signal.throwIfAborted();
        // If opening failed, the next task tries again.
        ends ??= openEnds().catch((thrown) => {
          ends = null;
          throw thrown;
        });
        return await work(await ends);
      } finally {
        isOver();
      }
    },
    askSource: async (ask) => {
      asked ??= connectBeside(settings.connection, sharing, services).catch((thrown) => {
        asked = null;
        throw thrown;
      });
      return ask((await asked).source);
    },
    close: async () => {
      await tail;
      const [opened, alone] = [ends, asked];
      ends = null;
      asked = null;
      await (await alone)?.close();
      if (opened === null) return;
      const { lake, connection } = await opened;
      try {
        await connection.close();
      } finally {
        await lake.close();
      }
    },
  };
}

/**
 * Waits until the tasks before it have left the lake.
 * @throws {EdrlakeError} `RUN_BUSY` where that takes longer than the patience there is: another machine may do the task
 */
async function untilTurn(before: Promise<void>, patienceMs: number, clock: Clock): Promise<void> {
  if (!Number.isFinite(patienceMs)) return before;
  const over = new AbortController();
  const isLate = clock.sleep(patienceMs, over.signal).then(
    () => true,
    () => false,
  );
  const isTurn = before.then(() => false);
  const isGivenUp = await Promise.race([isTurn, isLate]);
  over.abort();
  if (!isGivenUp) return;
  throw new EdrlakeError('RUN_BUSY', 'another task of this run is at work on the lake here', {
    hint: 'Run it again later.',
  });
}

/** The services of one export inside a task. */
export function runServicesOf({ services, provided, run, task }: TaskContext<TaskTools>): RunServices {
  return { ...services, newRunId: provided.newRunId(), partOf: { runId: run.runId, task } };
}

const DAY = z.iso.date();

/** Days at both ends, included. */
export const dayRangeInput = { from: DAY, to: DAY };

/** A number of whole days before the run began, so that a resumed run has the same days. */
export function lastDays(days: number, startedAtMs: number): TimeRange {
  const endMs = startOfDayMs(new Date(startedAtMs).toISOString().slice(0, 10));
  return { startMs: endMs - days * 86_400_000, endMs };
}

/**
 * Reads what `with` gives. @throws {EdrlakeError} `CONFIG_INVALID` naming the key, what was expected and what was found
 */
export function readInput<Schema extends z.ZodObject>(schema: Schema, input: unknown): z.infer<Schema> {
  const given = input ?? {};
  const parsed = schema.safeParse(given);
  if (parsed.success) return parsed.data;
  const [issue] = parsed.error.issues;
  if (issue?.code === 'unrecognized_keys') {
    const key = issue.keys[0] ?? '';
    const known = Object.keys(schema.shape);
    const close = didYouMean(key, known);
    const hint = `${close === null ? '' : `Did you mean ${close}? `}It takes ${known.join(', ') || 'nothing'}.`;
    throw new EdrlakeError('CONFIG_INVALID', `there is no such key as ${key}`, { hint });
  }
  const path = issue?.path ?? [];
  const found = path.reduce<unknown>((value, key) => (value as Record<PropertyKey, unknown> | undefined)?.[key], given);
  const problem = (issue?.message ?? 'it cannot be read').replace(/^[^:]*: /, '').replace(/, received .*$/, '');
  throw new EdrlakeError(
    'CONFIG_INVALID',
    `${path.join('.')}: ${problem}, found ${JSON.stringify(found) ?? 'nothing'}`,
    {
      hint: 'Correct the task in the pipeline file, or the --param it is made from.',
    },
  );
}
