import { defineConfig } from 'vitest/config'

// `unit` is the fast part (npm run check); `slow` starts processes, packs the package or needs minutes of arithmetic.
const slow = ['test/**/*.slow.test.ts']

export default defineConfig({
  test: {
    projects: [
      { test: { name: 'unit', include: ['test/**/*.test.ts'], exclude: slow, testTimeout: 60_000 } },
      { test: { name: 'slow', include: slow, testTimeout: 240_000, hookTimeout: 120_000 } },
    ],
  },
})
