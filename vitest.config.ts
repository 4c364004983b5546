import { defineConfig } from 'vitest/config';

// Tests import the packages' TypeScript sources; only the end-to-end tests run what was built.
const conditions = ['edrlake-source', 'node', 'import', 'default'];

// Where to leave a report for machines; without it there is none.
const report = process.env.EDRLAKE_TEST_REPORT;

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
    // The end-to-end tests wait for processes most of the time, so both cores of a small machine are worth using.
    maxWorkers: 2,
    reporters: report === undefined ? ['default'] : ['default', ['json', { outputFile: report }]],
  },
});
