import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

// Tests import the packages' TypeScript sources; only the end-to-end tests run what was built.
const conditions = ['edrlake-source', 'node', 'import', 'default'];

// Where to leave a report for machines; without it there is none.
const report = process.env.EDRLAKE_TEST_REPORT;

// Each of them takes long: sweeps over every call of the disk and every kind of damage, processes that are killed at any
// step, simulated worlds, a simulated month. `npm run test:long` runs them, `npm test` does not.
const LONG = [
  'packages/lake/test/commit.crash.test.ts',
  'packages/lake/test/compact.merging.test.ts',
  'packages/lake/test/disk.errors.test.ts',
  'packages/lake/test/lake.examination.test.ts',
  'packages/lake/test/lake.rebuilding.test.ts',
  'packages/lake/test/maintenance.crash.test.ts',
  'packages/lake/test/verify.flipped-bytes.test.ts',
  'packages/runner/test/export-flow.failures.test.ts',
  'packages/runner/test/export-flow.refusals.test.ts',
  'packages/runner/test/ranges.long.test.ts',
  'packages/runner/test/reconcile.repair.test.ts',
  'packages/runner/test/reject-share.limits.test.ts',
  'packages/runner/test/requests.ratio.test.ts',
  'packages/runner/test/sync.clocks.test.ts',
  'packages/runner/test/sync.month.test.ts',
  'packages/runner/test/sync.rejects.test.ts',
  'packages/runner/test/walk.search-after.test.ts',
  'test/cases/all-rejected.test.ts',
  'test/cases/duplicates.test.ts',
  'test/contract/api-examples.test.ts',
  'test/contract/dataset-specs.long.test.ts',
  'test/contract/flatteners.test.ts',
  'test/contract/writers.lake.test.ts',
  'test/crash/**/*.test.ts',
  'test/e2e/cli-errors.test.ts',
  'test/e2e/cli-gate.test.ts',
  'test/e2e/cli-nightly.test.ts',
  'test/e2e/export.command.test.ts',
  'test/e2e/fim.dataset.test.ts',
  'test/e2e/nightly.kill.test.ts',
  'test/e2e/portable-writer.test.ts',
  'test/simulation/**/*.test.ts',
];

// What needs more than Node. `npm run test:services` installs that and runs them, `npm test` does not.
const SERVICES = 'test/services/**/*.test.ts';

// The manifest of the public package names only what is shipped of it, and that is built.
const library = fileURLToPath(new URL('packages/edrlake/src/', import.meta.url));
const alias = [
  { find: /^edrlake$/, replacement: `${library}index.ts` },
  { find: /^edrlake\/(.+)$/, replacement: `${library}$1.ts` },
];

export default defineConfig({
  resolve: { conditions, alias },
  ssr: { resolve: { conditions } },
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'usual',
          include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
          exclude: [...LONG, SERVICES],
        },
      },
      { extends: true, test: { name: 'long', include: LONG, env: { EDRLAKE_PROPERTY_DEFAULT: 'random' } } },
      { extends: true, test: { name: 'services', include: [SERVICES], testTimeout: 300_000, hookTimeout: 300_000 } },
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    setupFiles: ['test/property-seed.ts'],
    pool: 'forks',
    // The end-to-end tests wait for processes most of the time, so both cores of a small machine are worth using.
    maxWorkers: 2,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
