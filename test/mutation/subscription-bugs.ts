import type { PlantedBug } from './planted-bug.ts';

const RUNNING = 'packages/cli/test/subscriptions.running.test.ts';
const OWNER = 'packages/lake/test/owner.recording.test.ts';

/** Bugs by which one customer's events could reach another one's lake, or one subscription could stop all. */
export const SUBSCRIPTIONS: readonly PlantedBug[] = [
  {
    name: 'customer-taken-from-each-batch',
    effect: 'lets each batch say anew whose events the lake holds',
    file: 'packages/lake/src/commit/owner.ts',
    find: 'known?.customerId ?? wanted?.customerId ?? null;\n  const foreign',
    replace: 'wanted?.customerId ?? null;\n  const foreign',
    tests: [OWNER],
  },
  {
    name: 'owner-lost-in-checkpoint',
    effect: 'forgets whose a lake is when a checkpoint is written',
    file: 'packages/lake/src/log/log-files.ts',
    find: '...(state.owner !== null && { owner: state.owner }),',
    replace: '',
    tests: [OWNER],
  },
  {
    name: 'login-not-compared',
    effect: 'asks for events with the account of another customer',
    file: 'packages/client/src/auth/client-context.ts',
    find: 'options.onLogin?.(token.tenant);',
    replace: '',
    tests: [RUNNING],
  },
  {
    name: 'foreign-events-proven',
    effect: 'proves a window in which events of another customer were delivered',
    file: 'packages/runner/src/export/prove-window.ts',
    find: '(staged.foreignCount ?? 0) === 0 &&',
    replace: '',
    tests: [RUNNING],
  },
  {
    name: 'first-failure-ends-all',
    effect: 'does not run for the subscriptions after one that failed',
    file: 'packages/cli/src/subscriptions/in-turn.ts',
    find: 'results.push(ended(await runTurn(turns, subscription, stdout, json)));',
    replace:
      'results.push(ended(await runTurn(turns, subscription, stdout, json)));\n    if (results.at(-1)?.exitCode !== 0) break;',
    tests: [RUNNING],
  },
];
