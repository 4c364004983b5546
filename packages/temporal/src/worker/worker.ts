import { fileURLToPath } from 'node:url';
import { type Clock, EdrlakeError, type Random } from '@edrlake/core';
import { loadWorker } from '../client/load-sdk.ts';
import { connectionOf, serverError, type TemporalPlace } from '../client/place.ts';
import type { RunAbout } from '../contract/contract.ts';
import { runActivities, type WorkerView } from './activities.ts';
import { keepHosts, type OpenHost } from './run-hosts.ts';

/** What a worker needs. */
export interface WorkerOptions {
  readonly place: TemporalPlace;
  /** Tasks at work at once. */
  readonly slots: number;
  readonly open: OpenHost;
  readonly viewFor: (about: RunAbout) => WorkerView;
  readonly clock: Clock;
  readonly random: Random;
  /** Aborting it stops the worker: what it works on goes on elsewhere. */
  readonly signal: AbortSignal;
  /** Called once the worker takes work. */
  readonly onReady: () => void;
  /** What the worker itself has to say. */
  readonly log: WorkerView['log'];
}

/** A stopped worker gives its tasks back at once; what does not end by then is ended with the process. */
const SHUTDOWN = { shutdownGraceTime: '500ms', shutdownForceTime: '1500ms' } as const;

/** Where the workflows are: in a file of their own, because Temporal loads and checks them itself. */
const WORKFLOWS_FILE = fileURLToPath(new URL('./workflows.js', import.meta.url));

/**
 * Works for runs until it is stopped.
 * @throws {EdrlakeError} `CONFIG_INVALID`, `HOST_UNREACHABLE`
 */
export async function runWorker(options: WorkerOptions): Promise<void> {
  const { place, slots, clock, random, viewFor, signal, log } = options;
  const sdk = await loadWorker();
  signal.throwIfAborted();
  // Signals of the process are for the command, which stops the worker itself.
  // What an activity meets is said by the activity.
  const logger = new sdk.DefaultLogger('WARN', ({ message, meta }) => {
    log(meta?.sdkComponent === 'activity' || message === 'Activity failed' ? 'debug' : 'warn', message);
  });
  const logging = { forward: {}, filter: { core: 'ERROR', other: 'ERROR' } } as const;
  sdk.Runtime.install({ logger, shutdownSignals: [], telemetryOptions: { logging } });
  const connection = await sdk.NativeConnection.connect(connectionOf(place)).catch((thrown: unknown) => {
    throw serverError(thrown, place);
  });
  const hosts = keepHosts(options.open, clock, (thrown) => log('warn', textOf(thrown)));
  const stopping = new AbortController();
  try {
    const worker = await sdk.Worker.create({
      ...{ connection, namespace: place.namespace, taskQueue: place.taskQueue },
      workflowsPath: WORKFLOWS_FILE,
      activities: runActivities({ sdk, hosts, clock, random, viewFor, stopping: stopping.signal }),
      maxConcurrentActivityTaskExecutions: slots,
      maxHeartbeatThrottleInterval: '1s',
      ...SHUTDOWN,
    });
    const stop = () => {
      stopping.abort(new EdrlakeError('INTERRUPTED', 'the worker was stopped'));
      worker.shutdown();
    };
    const running = worker.run();
    signal.addEventListener('abort', stop, { once: true });
    if (signal.aborted) stop();
    else options.onReady();
    await running;
  } catch (thrown) {
    throw serverError(thrown, place);
  } finally {
    await hosts.close();
    await connection.close();
  }
}

function textOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}
