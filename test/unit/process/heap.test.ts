import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { expect, test } from "vitest";

const heap = new URL("../../../src/process/heap.ts", import.meta.url).href;

/** Of a process with some forty megabytes alive, in which as much again goes by a dozen times: full collections. */
async function fullCollections(before: string): Promise<number> {
  const program = `
    import { constants, PerformanceObserver } from "node:perf_hooks";
    import { setImmediate as turn } from "node:timers/promises";
    import { setFlagsFromString } from "node:v8";
    import { collectSeldom } from ${JSON.stringify(heap)};
    ${before}
    let full = 0;
    const count = (collections) => {
      for (const { detail } of collections) if (detail.kind === constants.NODE_PERFORMANCE_GC_MAJOR) full++;
    };
    const observer = new PerformanceObserver((list) => count(list.getEntries()));
    observer.observe({ entryTypes: ["gc"] });
    const alive = Array.from({ length: 400_000 }, (_, i) => ({ i, list: [i] }));
    for (let i = 0; i < 5_000_000; i++) {
      alive[i % alive.length] = { i, list: [i] };
      if (i % 50_000 === 0) await turn();
    }
    await turn();
    count(observer.takeRecords());
    console.log(full);`;
  const options = ["--import", "tsx", "--input-type=module", "-e", program];
  const { stdout } = await promisify(execFile)(process.execPath, options);
  return Number(stdout);
}

test("the whole heap is collected seldom, where V8 would let it grow by a little only", async () => {
  // As much as V8 allows a process that was idle for a while.
  const little = 'setFlagsFromString("--heap-growing-percent=30");';
  const often = await fullCollections(little);
  const seldom = await fullCollections(`${little} collectSeldom();`);
  expect(often).toBeGreaterThan(8);
  expect(seldom).toBeLessThan(often / 2);
}, 60_000);
