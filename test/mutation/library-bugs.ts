import type { PlantedBug } from './planted-bug.ts';

/** Bugs at the front door of the library. */
export const LIBRARY: readonly PlantedBug[] = [
  {
    name: 'closed-lake-works',
    effect: 'opens again what closing a lake has released, and leaves it open',
    file: 'packages/edrlake/src/lake.ts',
    find: 'if (closing === null) return;',
    replace: 'if (closing !== undefined) return;',
    tests: ['packages/edrlake/test/library.bad-input.test.ts'],
  },
  {
    name: 'abort-is-a-bug',
    effect: 'reports a program that aborts a call for its own reason as a bug of edrlake',
    file: 'packages/edrlake/src/input/options.ts',
    find: 'controller.abort(interruptionOf(signal.reason))',
    replace: 'controller.abort(signal.reason)',
    tests: ['packages/edrlake/test/library.bad-input.test.ts'],
  },
  {
    name: 'login-without-password',
    effect: 'tries to log in without a password, which locks accounts',
    file: 'packages/client/src/auth/account.ts',
    find: '!isFilled(account[name])',
    replace: 'account[name] === null',
    tests: ['packages/edrlake/test/library.bad-input.test.ts'],
  },
  {
    name: 'library-forgets-earlier-logins',
    effect: 'works on the lake of one customer with the account of another that has logged in before',
    file: 'packages/edrlake/src/source.ts',
    find: 'gate.onLogin(tenant);',
    replace: 'gate.onLogin(null);',
    tests: ['packages/edrlake/test/library.subscription.test.ts'],
  },
  {
    name: 'one-subscription-stops-all',
    effect: 'works for no further subscription where one has failed',
    file: 'packages/edrlake/src/subscriptions.ts',
    find: 'results.push({ name, result: null, error: toEdrlakeError(thrown) });',
    replace: 'return [...results, { name, result: null, error: toEdrlakeError(thrown) }];',
    tests: ['test/contract/examples.test.ts'],
  },
  {
    name: 'lost-day-found-equal',
    effect: 'calls a day complete whose files are gone, because they were there when it was compared',
    file: 'packages/runner/src/days/calendar.ts',
    find: "compared.verdict === 'match' && isWholeDay && !isLost",
    replace: "compared.verdict === 'match' && isWholeDay",
    tests: ['packages/runner/test/comparisons.outdated.test.ts'],
  },
  {
    name: 'rebuilt-days-found-equal',
    effect: 'calls days complete that nothing proves any more, because they were equal before the log was rebuilt',
    file: 'packages/runner/src/connect/open-lake.ts',
    find: 'await forgetReconciliations(directory);',
    replace: 'void forgetReconciliations;',
    tests: ['packages/runner/test/comparisons.outdated.test.ts'],
  },
];
