import { defineConfig } from "vitest/config";

const shared = { environment: "node", retry: 0, testTimeout: 30_000, hookTimeout: 60_000 } as const;

export default defineConfig({
  test: {
    // Two workers: the fault tests measure times, and more would starve the servers they measure.
    maxWorkers: 2,
    globalSetup: "test/rig/global-setup.ts",
    projects: [
      {
        test: {
          ...shared,
          name: "unit",
          include: ["test/{core,deploy,schema}/**/*.test.ts", "test/*.test.ts"],
        },
      },
      {
        test: {
          ...shared,
          name: "servers",
          include: [
            "test/{bench,bus,cli,db,embedded,handlers,kv,permissions,service}/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          ...shared,
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          testTimeout: 600_000,
          fileParallelism: false,
        },
      },
    ],
  },
});
