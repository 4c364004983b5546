import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';
import { BaseSequencer, type TestSpecification } from 'vitest/node';

// Tests import the packages' TypeScript sources; only the end-to-end tests run what was built.
const conditions = ['edrlake-source', 'node', 'import', 'default'];

// Where to leave a report for machines; without it there is none.
const report = process.env.EDRLAKE_TEST_REPORT;

// Each of them takes long: sweeps over every call of the disk and every kind of damage, processes that are killed at any
// step, simulated worlds, a simulated month. `npm run test:long` runs them, `npm test` does not.
const LONG = [
  'packages/edrlake/test/library.flow.test.ts',
  'packages/edrlake/test/library.hunting.test.ts',
  'packages/edrlake/test/arrow.flatten.test.ts',
  'packages/lake/test/commit.crash.test.ts',
  'packages/lake/test/compact.merging.test.ts',
  'packages/lake/test/damage.checksums.test.ts',
  'packages/lake/test/disk.errors.test.ts',
  'packages/lake/test/find-event.origins.test.ts',
  'packages/cli/test/subscriptions.running.test.ts',
  'packages/lake/test/lake.examination.test.ts',
  'packages/lake/test/lake.rebuilding.test.ts',
  'packages/lake/test/lease.fencing.test.ts',
  'packages/lake/test/lost-files.forgetting.test.ts',
  'packages/lake/test/maintenance.crash.test.ts',
  'packages/lake/test/object-lake.commits.test.ts',
  'packages/lake/test/object-lake.crash.test.ts',
  'packages/lake/test/object-lake.faults.test.ts',
  'packages/lake/test/object-lake.rebuilding.test.ts',
  'packages/lake/test/object-lake.requests.test.ts',
  'packages/lake/test/portable.abort.test.ts',
  'packages/lake/test/object-lake.standing.test.ts',
  'packages/lake/test/promote.columns.test.ts',
  'packages/lake/test/publish-delta.history.test.ts',
  'packages/lake/test/publish-ducklake.history.test.ts',
  'packages/lake/test/publish-iceberg.history.test.ts',
  'packages/lake/test/publish-objects.sweep.test.ts',
  'packages/lake/test/reading.after-crash.test.ts',
  'packages/lake/test/standing.keeping.test.ts',
  'packages/lake/test/standing.matches.test.ts',
  'packages/lake/test/vacuum.leftovers.test.ts',
  'packages/lake/test/value-index.answers.test.ts',
  'packages/lake/test/value-index.memory.test.ts',
  'packages/lake/test/value-index.parts.test.ts',
  'packages/lake/test/value-index.queries.test.ts',
  'packages/lake/test/verify.flipped-bytes.test.ts',
  'packages/ocsf/test/mapping.lossless.test.ts',
  'packages/ocsf/test/mapping.ten-thousand.test.ts',
  'packages/ocsf/test/publish.bucket.test.ts',
  'packages/ocsf/test/publish.days.test.ts',
  'packages/runner/test/enrich.details.test.ts',
  'packages/runner/test/export-flow.failures.test.ts',
  'packages/runner/test/export-flow.refusals.test.ts',
  'packages/runner/test/horizon.saving.test.ts',
  'packages/runner/test/lost-files.exports.test.ts',
  'packages/runner/test/promote.exports.test.ts',
  'packages/runner/test/ranges.long.test.ts',
  'packages/runner/test/reconcile.repair.test.ts',
  'packages/runner/test/recount.sealed.test.ts',
  'packages/runner/test/quiet.simulated-months.test.ts',
  'packages/runner/test/reject-share.limits.test.ts',
  'packages/runner/test/requests.ratio.test.ts',
  'packages/runner/test/run-limits.spending.test.ts',
  'packages/runner/test/sync.clocks.test.ts',
  'packages/runner/test/sync.follow.test.ts',
  'packages/runner/test/sync.held.test.ts',
  'packages/runner/test/sync.month.test.ts',
  'packages/runner/test/sync.moved.test.ts',
  'packages/runner/test/sync.rejects.test.ts',
  'packages/runner/test/tasks.hunt.test.ts',
  'packages/runner/test/tasks.publish-ocsf.test.ts',
  'packages/runner/test/tasks.quiet.test.ts',
  'packages/runner/test/tasks.no-progress.test.ts',
  'packages/runner/test/walk.search-after.test.ts',
  'packages/serve/test/page.attacks.test.ts',
  'packages/serve/test/page.routes.test.ts',
  'test/cases/all-rejected.test.ts',
  'test/cases/count-without-body.test.ts',
  'test/cases/duplicates.test.ts',
  'test/cases/lake-path.test.ts',
  'test/cases/lost-data.test.ts',
  'test/cases/missing-page.test.ts',
  'test/cases/one-bad-record.test.ts',
  'test/cases/page-cap.test.ts',
  'test/cases/proxy-from-environment.test.ts',
  'test/cases/proxy-object-store.test.ts',
  'test/cases/since-in-the-future.test.ts',
  'test/cases/strange-counts.test.ts',
  'test/cases/unusual-refusals.test.ts',
  'test/cases/vanished-events.test.ts',
  'test/cases/wrong-histogram.test.ts',
  'test/contract/api-examples.test.ts',
  'test/contract/dataset-specs.long.test.ts',
  'test/contract/edr-documents.long.test.ts',
  'test/contract/fim-documents.long.test.ts',
  'test/contract/flatteners.test.ts',
  'test/contract/writers.lake.test.ts',
  'test/crash/**/*.test.ts',
  'test/e2e/bench.smoke.test.ts',
  'test/e2e/cli-clock.test.ts',
  'test/e2e/cli-commands.test.ts',
  'test/e2e/cli-errors.test.ts',
  'test/e2e/cli-gate.test.ts',
  'test/e2e/cli-hunt.test.ts',
  'test/e2e/cli-lake-repair.test.ts',
  'test/e2e/cli-nightly.test.ts',
  'test/e2e/export.command.test.ts',
  'test/e2e/fim.dataset.test.ts',
  'test/e2e/fim.exactly-once.test.ts',
  'test/e2e/full-disk.test.ts',
  'test/e2e/lake-format-1.test.ts',
  'test/e2e/nightly.kill.test.ts',
  'test/e2e/portable-writer.test.ts',
  'test/e2e/query-output.test.ts',
  'test/e2e/schema-and-cookbook.test.ts',
  'test/e2e/telemetry.command.test.ts',
  'test/simulation/**/*.test.ts',
];

// What holds for lakes in object stores too. `npm run test:long` runs every third case of it there once more, `npm run
// test:objects` all cases.
const every = process.env.EDRLAKE_TEST_EVERY ?? '3';
const IN_OBJECTS = [
  'packages/lake/test/commit.crash.test.ts',
  'packages/lake/test/commit.exactly-once.test.ts',
  'packages/lake/test/lake.rebuilding.test.ts',
  'packages/lake/test/maintenance.crash.test.ts',
  'packages/runner/test/reconcile.repair.test.ts',
  ...(every === '1' ? ['test/e2e/backfill.exactly-once.test.ts', 'test/e2e/fim.exactly-once.test.ts'] : []),
];

// What needs more than Node. `npm run test:services` installs that and runs them, `npm test` does not.
const SERVICES = 'test/services/**/*.test.ts';

// The manifest of the public package names only what is shipped of it, and that is built.
const library = fileURLToPath(new URL('packages/edrlake/src/', import.meta.url));
const alias = [
  { find: /^edrlake$/, replacement: `${library}index.ts` },
  { find: /^edrlake\/(.+)$/, replacement: `${library}$1.ts` },
];

/** The longest files first: one that begins last would run alone. */
class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    const sorted = await super.sort(files);
    const isLong = ({ moduleId }: TestSpecification) => moduleId.endsWith('.long.test.ts');
    return [...sorted.filter(isLong), ...sorted.filter((file) => !isLong(file))];
  }
}

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
      {
        extends: true,
        test: {
          name: 'objects',
          include: IN_OBJECTS,
          env: { EDRLAKE_TEST_STORE: 'objects', EDRLAKE_TEST_EVERY: every },
        },
      },
      {
        extends: true,
        test: {
          name: 'services',
          include: [SERVICES],
          globalSetup: 'test/services/pack.setup.ts',
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
    ],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    sequence: { sequencer: LongestFirst },
    setupFiles: ['test/property-seed.ts'],
    pool: 'forks',
    // The end-to-end tests wait for processes most of the time, so both cores of a small machine are worth using.
    maxWorkers: 2,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
