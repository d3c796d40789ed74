import { defineConfig } from "vitest/config";

const shared = { environment: "node", retry: 0, testTimeout: 30_000, hookTimeout: 60_000 } as const;
/** On two cores: these tests wait for servers and processes more than they compute. */
const manyWaiting = { maxWorkers: 3, sequence: { groupOrder: 0 } } as const;

export default defineConfig({
  test: {
    globalSetup: "test/rig/global-setup.ts",
    projects: [
      {
        test: {
          ...shared,
          ...manyWaiting,
          name: "unit",
          include: ["test/{deploy,unit}/**/*.test.ts"],
        },
      },
      {
        test: {
          ...shared,
          ...manyWaiting,
          name: "servers",
          include: [
            "test/{bench,cli,client,console,embedded,handlers,http,kv,mcp,nats,permissions,postgres,runtime,service}/**/*.test.ts",
          ],
        },
      },
      {
        test: {
          ...shared,
          // After the others and one by one: they measure times, and more would starve what they measure.
          sequence: { groupOrder: 1 },
          fileParallelism: false,
          name: "faults",
          include: ["test/faults/**/*.test.ts"],
          testTimeout: 600_000,
        },
      },
    ],
  },
});
