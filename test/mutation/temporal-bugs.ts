import type { PlantedBug } from './planted-bug.ts';

const ACTIVITIES = 'packages/temporal/test/activities.beats.test.ts';
const HISTORIES = 'packages/temporal/test/run-workflow.histories.test.ts';
const BUDGET = 'packages/runner/test/tasks.budget.test.ts';
const RESERVED = 'packages/client/test/shared-limiter.reserved.test.ts';
const HISTORY = 'packages/runner/test/workflow.history.test.ts';
const ENDS = 'packages/temporal/test/runs.ends.test.ts';
const WINDOWS = 'packages/pager/test/fetch-windows.reserved.test.ts';

/**
 * Bugs of runs on many machines. Their tests need no server: they run the activities and the decisions of the workflow
 * as they are. The part `temporal` of the service tests runs the same with a real one.
 */
export const TEMPORAL: readonly PlantedBug[] = [
  {
    name: 'requests-counted-alone',
    effect: 'counts the requests of each worker by itself',
    file: 'packages/runner/src/tasks/task-tools.ts',
    find: 'connection: await connectSharing(connection, sharing, services) };',
    replace: 'connection: (await import("../connect/connect.ts")).connect(connection, services) };',
    tests: [BUDGET],
  },
  {
    name: 'no-heartbeat',
    effect: 'is alive without saying so, and never hears that it was cancelled',
    file: 'packages/temporal/src/worker/activities.ts',
    find: '      show();\n      await clock.sleep(HEARTBEAT_MS, over.signal)',
    replace: '      await clock.sleep(HEARTBEAT_MS, over.signal)',
    tests: [ACTIVITIES],
  },
  {
    name: 'cancel-not-passed-on',
    effect: 'goes on with a task whose run was cancelled',
    file: 'packages/temporal/src/worker/activities.ts',
    find: 'AbortSignal.any([context.cancellationSignal, stopping])',
    replace: 'AbortSignal.any([stopping])',
    tests: [ACTIVITIES],
  },
  {
    name: 'slot-kept-without-requests',
    effect: 'fails a task that gets no request instead of giving it back',
    file: 'packages/temporal/src/worker/activities.ts',
    find: "if (code !== 'REQUESTS_SPENT') return null;",
    replace: 'if (code !== undefined) return null;',
    tests: [ACTIVITIES],
  },
  {
    name: 'window-begun-without-requests',
    effect: 'begins a window whose requests are not left, so that its pages are lost to other machines',
    file: 'packages/pager/src/fetch/reserve-windows.ts',
    find: 'if (depth > 0 || source.reserve === undefined) return true;',
    replace: 'if (depth >= 0 || source.reserve === undefined) return true;',
    tests: [WINDOWS],
  },
  {
    name: 'window-larger-than-limit-given-back',
    effect: 'waits for more requests than the limit ever allows, and begins such a window never',
    file: 'packages/client/src/rate-limit/reserve-requests.ts',
    find: 'const wanted = isTooLarge ? 1 : requests + own + others;',
    replace: 'const wanted = requests + own + others;',
    tests: [RESERVED],
  },
  {
    name: 'reservation-of-others-ignored',
    effect: 'lets two machines begin windows with the same requests',
    file: 'packages/client/src/rate-limit/reserve-requests.ts',
    find: '(id === client.id ? 0 : reserved)',
    replace: '(id === client.id ? 0 : 0 * reserved)',
    tests: [RESERVED],
  },
  {
    name: 'worker-alive-is-run-alive',
    effect: 'calls a run that the server has ended running, because a worker that did something for it is alive',
    file: 'packages/runner/src/history/run-history.ts',
    find: "((await askEngine?.(workflow)) ?? 'unknown')",
    replace: '((await askEngine?.(workflow)) ?? null)',
    tests: [HISTORY],
  },
  {
    name: 'time-out-is-interrupt',
    effect: 'ends with the exit code of an interrupt where the run has timed out on the server',
    file: 'packages/temporal/src/client/runs.ts',
    find: 'if (cause instanceof sdk.TimeoutFailure) {',
    replace: 'if (cause instanceof sdk.TimeoutFailure && cause instanceof sdk.TerminatedFailure) {',
    tests: [ENDS],
  },
  {
    name: 'history-forgets-what-is-done',
    effect: 'does in a continued history again what the one before it has done',
    file: 'packages/temporal/src/workflow/run-workflow.ts',
    find: 'for (const line of lines) applyLine(state, line);\n  const slots',
    replace: 'const slots',
    tests: [HISTORIES],
  },
  {
    name: 'partitions-left-behind',
    effect: 'ends a run with the partitions that a long history has left',
    file: 'packages/temporal/src/workflow/run-workflow.ts',
    find: 'if (run.isLong && !isSettledWhole(run)) await continueRun(run);',
    replace: '',
    tests: [HISTORIES],
  },
  {
    name: 'tasks-of-old-runs-at-once',
    effect: 'changes the order of what an older version has recorded',
    file: 'packages/temporal/src/workflow/run-workflow.ts',
    find: 'if (run.begun.atOnce === undefined) await settleInTurn(run);\n    else await settleAtOnce(run);',
    replace: 'await settleAtOnce(run);',
    tests: [HISTORIES],
  },
  {
    name: 'terminated-run-goes-on',
    effect: 'calls a run that was terminated running while a worker is alive',
    file: 'packages/runner/src/workflow/state/run-view.ts',
    find: 'state.end ?? engineStatus ?? (alive',
    replace: 'state.end ?? (alive',
    tests: ['packages/runner/test/workflow.history.test.ts'],
  },
  {
    name: 'oldest-days-lost',
    effect: 'leaves the rest of a long range out of its parts',
    file: 'packages/runner/src/days/divide-days.ts',
    find: 'parts.at(-1)?.unshift(...part);',
    replace: 'parts.at(-1)?.unshift();',
    tests: ['packages/runner/test/divide-days.requests.test.ts'],
  },
];
