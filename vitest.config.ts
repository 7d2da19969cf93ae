import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Nothing is proved by being fast: these end what hangs, and leave a slow machine the time it needs.
    testTimeout: 600_000,
    hookTimeout: 600_000,
    setupFiles: ['./test/support/property-seed.ts'],
    pool: 'forks',
    // Half of the tests wait for processes of their own, so that two cores serve twice as many.
    maxWorkers: 4,
    reporters: ['default', './test/support/closing-line.ts'],
  },
});
