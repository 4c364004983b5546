import type { PlantedBug } from './planted-bug.ts';

/** Bugs in what the lake says about single events. */
export const STORY: readonly PlantedBug[] = [
  {
    name: 'event-trusts-damaged-index',
    effect: 'says that an event is not in the lake because a damaged index does not name it',
    file: 'packages/lake/src/query/find-event.ts',
    find: 'if (isUnsure && (await',
    replace: 'if (!isUnsure && (await',
    tests: ['packages/lake/test/find-event.origins.test.ts'],
  },
  {
    name: 'recount-trusts-histogram',
    effect: 'takes a day from the proven ones by a histogram that nothing confirms',
    file: 'packages/runner/src/reconcile/recount.ts',
    find: 'if (sum(buckets, ({ count }) => count) !== total) continue;',
    replace: 'if (total < 0) continue;',
    tests: ['packages/runner/test/recount.sealed.test.ts'],
  },
  {
    name: 'recount-settled-by-lost-data',
    effect: 'calls a day complete again because the gateway has lost its data for a while',
    file: 'packages/runner/src/reconcile/recount.ts',
    find: 'if (isMissing === other > inLake && (isMissing || isSettled))',
    replace: 'if (isMissing === other > inLake)',
    tests: ['packages/runner/test/recount.sealed.test.ts'],
  },
  {
    name: 'event-absent-without-proof',
    effect: 'counts days that are not proven as proven when an event is not in the lake',
    file: 'packages/runner/src/investigate/absence.ts',
    find: 'provenDays: days - missing,',
    replace: 'provenDays: days,',
    tests: ['packages/runner/test/story.events.test.ts'],
  },
  {
    name: 'tree-takes-later-process',
    effect: 'shows a process as the parent that had its id only later',
    file: 'packages/runner/src/investigate/process-tree.ts',
    find: 'findLast(({ process }) => process.atMs <= atMs)',
    replace: 'findLast(({ process }) => process.atMs <= Infinity)',
    tests: ['packages/runner/test/story.tree.test.ts'],
  },
  {
    name: 'ghost-blames-api',
    effect: 'says that the API has no event of a process that may be on a day that was not fetched',
    file: 'packages/runner/src/investigate/read-tree.ts',
    find: "if (isUnproven(startedMs, startedMs + 1)) return 'not-fetched';",
    replace: "if (startedMs < 0) return 'not-fetched';",
    tests: ['packages/runner/test/story.tree.test.ts'],
  },
  {
    name: 'limit-forgets-last-page',
    effect: 'sends more requests than a run was given',
    file: 'packages/runner/src/export/run-limits.ts',
    find: 'free -= requestsOf(count, run.source.pageSize);',
    replace: 'free -= Math.floor(count / run.source.pageSize / 2);',
    tests: ['packages/runner/test/run-limits.spending.test.ts'],
  },
];
