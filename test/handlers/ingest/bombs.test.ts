import { readFileSync } from "node:fs";
import { gzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { startReplicaOfTest } from "../../rig/replica.ts";
import { openStack } from "../../rig/service.ts";

/** Resident set now, and the most that it ever was. */
function memoryOf(pid: number | undefined) {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const mib = (name: string) => Number(new RegExp(`${name}:\\s+(\\d+)`).exec(status)?.[1]) / 1_024;
  return { now: mib("VmRSS"), most: mib("VmHWM") };
}

test("gzip bombs end at the limit, and many of them take no more memory than a few", async () => {
  const stack = await openStack();
  const replica = startReplicaOfTest(
    stack.env({ EXPERIENCE_INGEST: "on", EXPERIENCE_CONCERNS: "ingest" }),
  );
  const { httpPort } = await replica.ready();
  const bomb = gzipSync(Buffer.alloc(256 * 1_024 * 1_024));
  const headers = { "Content-Type": "application/x-protobuf", "Content-Encoding": "gzip" };
  const send = async () => {
    const url = `http://127.0.0.1:${httpPort}/v1/traces`;
    const response = await fetch(url, { method: "POST", body: bomb, headers });
    await response.arrayBuffer();
    return response.status;
  };
  const sendMany = (count: number) => Promise.all(Array.from({ length: count }, send));
  const pid = replica.process.pid;
  const seen = new Set<number>();
  const before = memoryOf(pid).now;
  const most: number[] = [];
  for (let round = 0; round < 6; round++) {
    for (const status of await sendMany(16)) seen.add(status);
    most.push(memoryOf(pid).most - before);
  }
  expect([...seen].sort()).toEqual([413]);
  // Sixteen at once are 8 MiB each, and what zlib and the collector take beside; 24 GiB unpacked would be the same.
  expect(Math.max(...most)).toBeLessThan(300);
  expect((most.at(-1) ?? 0) - (most[2] ?? 0)).toBeLessThan(64);
});
