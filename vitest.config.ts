import { defineConfig } from 'vitest/config'

// `unit` is the fast part (npm run check); `slow` starts processes, packs the package or needs minutes of arithmetic.
const slow = ['test/**/*.slow.test.ts']

export default defineConfig({
  test: {
    // The default leaves one core idle, which is half of a small machine.
    maxWorkers: '100%',
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: slow, testTimeout: 60_000 } },
      { test: { name: 'slow', include: slow, testTimeout: 240_000, hookTimeout: 120_000 } },
    ],
  },
})
