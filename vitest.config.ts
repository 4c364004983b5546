import { defineConfig } from 'vitest/config';

// Tests import the packages' TypeScript sources; only the end-to-end tests run what was built.
const conditions = ['edrlake-source', 'node', 'import', 'default'];

export default defineConfig({
  resolve: { conditions },
  ssr: { resolve: { conditions } },
  test: {
    include: ['packages/*/test/**/*.test.ts', 'test/**/*.test.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
    pool: 'forks',
  },
});
