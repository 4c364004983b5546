// What is used of the packages of Temporal. They are 256 MB and only installed where they are wanted, so the compiler
// reads this instead. The service test `temporal` compiles the same sources against the packages themselves.

declare module '@temporalio/workflow' {
  export type Duration = string | number;
  export interface RetryPolicy {
    backoffCoefficient?: number;
    initialInterval?: Duration;
    maximumAttempts?: number;
    maximumInterval?: Duration;
  }
  export interface ActivityOptions {
    heartbeatTimeout?: Duration;
    retry?: RetryPolicy;
    startToCloseTimeout?: Duration;
    scheduleToCloseTimeout?: Duration;
    cancellationType?: 'TRY_CANCEL' | 'WAIT_CANCELLATION_COMPLETED' | 'ABANDON';
    summary?: string;
  }
  export class TemporalFailure extends Error {
    readonly cause?: Error;
  }
  export class ApplicationFailure extends TemporalFailure {
    readonly type: string | undefined | null;
    readonly details: unknown[] | undefined | null;
    static create(options: {
      message?: string;
      type?: string;
      nonRetryable?: boolean;
      details?: unknown[];
      nextRetryDelay?: Duration;
      cause?: Error;
    }): ApplicationFailure;
  }
  export class ActivityFailure extends TemporalFailure {}
  export class ChildWorkflowFailure extends TemporalFailure {}
  export const CancellationScope: {
    nonCancellable<T>(work: () => Promise<T>): Promise<T>;
    current(): { readonly consideredCancelled: boolean };
  };
  export function isCancellation(error: unknown): boolean;
  export function sleep(time: Duration): Promise<void>;
  export function proxyActivities<T>(options: ActivityOptions): T;
  export function workflowInfo(): {
    readonly workflowId: string;
    readonly runId: string;
    readonly startTime: Date;
    readonly continueAsNewSuggested: boolean;
  };
  export interface QueryDefinition<Result, Args extends unknown[]> {
    readonly name: string;
    readonly types?: readonly [Result, Args];
  }
  export function defineQuery<Result, Args extends unknown[] = []>(name: string): QueryDefinition<Result, Args>;
  export function setHandler<Result, Args extends unknown[]>(
    query: QueryDefinition<Result, Args>,
    handler: (...args: Args) => Result,
  ): void;
  export function executeChild<Request, Result>(
    workflow: (request: Request) => Promise<Result>,
    options: {
      readonly workflowId: string;
      readonly args: [Request];
      readonly parentClosePolicy?: 'TERMINATE' | 'ABANDON' | 'REQUEST_CANCEL';
      readonly cancellationType?: 'WAIT_CANCELLATION_COMPLETED';
    },
  ): Promise<Result>;
  export function continueAsNew<F extends (request: never) => Promise<unknown>>(
    request: Parameters<F>[0],
  ): Promise<never>;
}

declare module '@temporalio/activity' {
  export { ApplicationFailure } from '@temporalio/workflow';
  export interface ActivityContext {
    readonly info: {
      readonly attempt: number;
      readonly heartbeatDetails: unknown;
      readonly workflowExecution?: { readonly workflowId: string; readonly runId: string };
    };
    readonly cancellationSignal: AbortSignal;
    heartbeat(details?: unknown): void;
  }
  export const Context: { current(): ActivityContext };
}

declare module '@temporalio/worker' {
  export interface TlsFiles {
    serverRootCACertificate?: Uint8Array;
    clientCertPair?: { crt: Uint8Array; key: Uint8Array };
  }
  export interface LogEntry {
    readonly level: string;
    readonly message: string;
    readonly meta?: Readonly<Record<string, unknown>>;
  }
  export class DefaultLogger {
    constructor(level: 'TRACE' | 'DEBUG' | 'INFO' | 'WARN' | 'ERROR', log: (entry: LogEntry) => void);
  }
  export const Runtime: {
    install(options: {
      logger: DefaultLogger;
      shutdownSignals: NodeJS.Signals[];
      telemetryOptions: { logging: { forward: object; filter: { core: 'ERROR'; other: 'ERROR' } } };
    }): unknown;
  };
  export class NativeConnection {
    static connect(options: { address: string; tls?: boolean | TlsFiles; apiKey?: string }): Promise<NativeConnection>;
    close(): Promise<void>;
  }
  export class Worker {
    static create(options: {
      connection: NativeConnection;
      namespace: string;
      taskQueue: string;
      activities: object;
      workflowsPath: string;
      maxConcurrentActivityTaskExecutions: number;
      maxConcurrentWorkflowTaskExecutions?: number;
      maxCachedWorkflows?: number;
      maxHeartbeatThrottleInterval: string;
      shutdownGraceTime: string;
      shutdownForceTime: string;
    }): Promise<Worker>;
    run(): Promise<void>;
    shutdown(): void;
  }
}

declare module '@temporalio/client' {
  import type { TlsFiles } from '@temporalio/worker';

  export { ActivityFailure, ApplicationFailure } from '@temporalio/workflow';
  export class WorkflowExecutionAlreadyStartedError extends Error {}
  export class Connection {
    static connect(options: {
      address: string;
      tls?: boolean | TlsFiles;
      apiKey?: string;
      connectTimeout?: string;
    }): Promise<Connection>;
    close(): Promise<void>;
  }
  export class WorkflowFailedError extends Error {
    readonly cause: Error | undefined;
  }
  export class TerminatedFailure extends Error {}
  export class TimeoutFailure extends Error {}
  export class WorkflowNotFoundError extends Error {}
  export class ScheduleNotFoundError extends Error {}
  export function isGrpcServiceError(
    error: unknown,
  ): error is Error & { readonly code: number; readonly details: string };
  interface RawPendingActivity {
    readonly state?: number | null;
    readonly heartbeatDetails?: {
      readonly payloads?: readonly { readonly data?: Uint8Array | null }[] | null;
    } | null;
    readonly lastFailure?: { readonly message?: string | null } | null;
  }
  export interface WorkflowHandle {
    readonly workflowId: string;
    result(): Promise<unknown>;
    query<Result, Args extends unknown[]>(name: string, ...args: Args): Promise<Result>;
    describe(): Promise<{
      readonly status: { readonly name: string };
      readonly historyLength: number;
      readonly raw: {
        readonly pendingActivities?: readonly RawPendingActivity[] | null;
        readonly workflowExecutionInfo?: { readonly firstRunId?: string | null } | null;
      };
    }>;
  }
  export interface ScheduleSpec {
    readonly cronExpressions: string[];
    readonly timezone: string;
  }
  export interface ScheduleSettings {
    readonly spec: ScheduleSpec;
    readonly action: {
      readonly type: 'startWorkflow';
      readonly workflowType: string;
      readonly args: [unknown];
      readonly taskQueue: string;
      readonly workflowId: string;
    };
    readonly policies: { readonly overlap: 'SKIP'; readonly catchupWindow: string };
    readonly state?: { readonly paused?: boolean; readonly note?: string };
  }
  export interface ScheduleHandle {
    describe(): Promise<{
      readonly state: { readonly paused: boolean; readonly note?: string };
      readonly info: { readonly nextActionTimes: Date[] };
    }>;
    update(
      change: (previous: { readonly state: { paused: boolean; note?: string } }) => ScheduleSettings,
    ): Promise<void>;
  }
  export class Client {
    constructor(options: { connection: Connection; namespace: string });
    withDeadline<T>(deadlineMs: number, work: () => Promise<T>): Promise<T>;
    readonly workflow: {
      start(
        workflow: string,
        options: {
          readonly taskQueue: string;
          readonly workflowId: string;
          readonly args: [unknown];
          readonly workflowIdConflictPolicy: 'FAIL';
          readonly workflowIdReusePolicy: 'ALLOW_DUPLICATE';
        },
      ): Promise<WorkflowHandle>;
      getHandle(id: string, runId?: string): WorkflowHandle;
    };
    readonly schedule: {
      create(options: ScheduleSettings & { readonly scheduleId: string }): Promise<ScheduleHandle>;
      getHandle(id: string): ScheduleHandle;
    };
  }
}
