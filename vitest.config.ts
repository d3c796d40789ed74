import { defineConfig } from "vitest/config";

const shared = { environment: "node", retry: 0, testTimeout: 30_000, hookTimeout: 60_000 } as const;
/** On two cores: these tests wait for servers and processes more than they compute. */
const manyWaiting = { maxWorkers: 3, sequence: { groupOrder: 0 } } as const;
const faults = { testTimeout: 600_000 } as const;
/** Fault stories that measure how long something takes, or how much is done meanwhile. */
const timed = [
  "clean-stop",
  "cluster",
  "features-outage",
  "features-poison",
  "outages",
  "poison",
  "recall-outage",
  "rolling-restart",
  "run-readers",
  "scaling",
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
          include: ["test/faults/**/*.test.ts"],
          exclude: timed,
          // Mostly they wait for what is away to come back.
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        test: {
          ...shared,
          ...faults,
          name: "times",
          include: timed,
          // After the others and one by one: more would starve what they measure.
          fileParallelism: false,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
