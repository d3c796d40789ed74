import { defineConfig } from "vitest/config";

const shared = { environment: "node", retry: 0, testTimeout: 30_000, hookTimeout: 60_000 } as const;
/** On two cores: these tests wait for servers and processes more than they compute. */
const manyWaiting = { maxWorkers: 3, sequence: { groupOrder: 0 } } as const;
const faults = { testTimeout: 600_000 } as const;
/** These have one story at a time and measure no times: two of them leave each other enough of two cores. */
const lone = [
  "bucket-made-anew",
  "counts-killed",
  "effects",
  "features-broker-killed",
  "features-mutants",
  "features-postgres-restarted",
  "missions-killed",
  "mutants",
  "older-version",
  "owners-come-and-go",
  "recall-killed",
  "replay-killed",
  "review-killed",
  "run-streams",
  "windows-killed",
].map((name) => `test/faults/${name}.test.ts`);

export default defineConfig({
  test: {
    globalSetup: "test/rig/global-setup.ts",
    projects: [
      {
        test: {
          ...shared,
          ...manyWaiting,
          name: "unit",
          // They wait for nothing but the processor, which others may have.
          testTimeout: 120_000,
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
          ...faults,
          name: "faults",
          include: lone,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          ...faults,
          name: "crowds",
          include: ["test/faults/**/*.test.ts"],
          exclude: lone,
          // They measure times, or have several stories at once: more would starve them.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
