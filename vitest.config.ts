import { configDefaults, defineConfig } from 'vitest/config'

const project = (name: string, testTimeout: number, fileParallelism = true) => ({
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    // These need a Kubernetes cluster: `npm run e2e`.
    exclude: [...configDefaults.exclude, 'test/e2e/kubernetes/**'],
    testTimeout,
    hookTimeout: Math.max(testTimeout, 60_000),
    fileParallelism,
  },
})

export default defineConfig({
  test: {
    maxWorkers: 2,
    projects: [
      project('unit', 30_000),
      project('scenario', 30_000),
      project('simulation', 600_000),
      project('conformance', 120_000),
      project('chart', 30_000),
      project('e2e', 120_000),
      // Each of these wants the machine for itself.
      project('load', 120_000, false),
    ],
  },
})
