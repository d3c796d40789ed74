import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, it } from "vitest";

const folder = mkdtempSync(join(tmpdir(), "experience-bus-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

it("the benchmark still runs, prints its table and writes its figures", {
  timeout: 600_000,
}, async () => {
  const out = join(folder, "figures.json");
  const args = ["--import", "tsx", "bench/main.ts", "--quick", "--out", out];
  const { stdout } = await promisify(execFile)(process.execPath, args);

  const figures = JSON.parse(readFileSync(out, "utf8"));
  const { throughput, mix, scaling, delay, memory, features, runs, recall } = figures;
  expect(throughput.map(({ name }: { name: string }) => name)).toEqual(["a", "b", "c", "d", "e"]);
  expect(
    throughput.every(({ rates }: { rates: number[] }) => rates.every((rate) => rate > 0)),
  ).toBe(true);
  expect(mix.rounds[0].puts).toBeGreaterThan(0);
  expect(scaling.map(({ rounds }: { rounds: unknown[] }) => rounds.length)).toEqual([1, 1, 1, 1]);
  expect(delay.lessons).toBeGreaterThan(0);
  expect(memory.rssMiB).toHaveLength(10);
  expect(features.rates[0]).toBeGreaterThan(0);
  expect(runs.rates[0]).toBeGreaterThan(0);
  expect([features, runs].every(({ database }) => database[0] > 0)).toBe(true);
  expect(figures.costs.kinds).toHaveLength(6);
  expect(figures.costs.kinds.every(({ serviceUs }: { serviceUs: number }) => serviceUs > 0)).toBe(
    true,
  );
  expect(features.delay.p99).toBeGreaterThan(0);
  expect([recall.nats.p99, recall.http.p99].every((ms) => ms > 0)).toBe(true);
  expect(figures["memory-recall"].recalls.answered).toBeGreaterThan(0);
  expect(figures.missions).toMatchObject({ due: 20, held: { statements: expect.any(Number) } });
  expect(figures.console.pages.length).toBeGreaterThan(3);
  expect(figures.console.open.share).toBeGreaterThan(0);
  expect(figures.ingest.loads).toMatchObject([{ lost: 0 }, { lost: 0 }]);
  expect(figures.hook.hooks).toMatchObject([{ failed: 0 }, { failed: 0 }]);
  expect(figures.windows.windows).toBeGreaterThan(0);
  expect(figures.history).toMatchObject({ isExact: true, events: 4_000 });
  expect(stdout).toContain("| (b) extractor, 10 % evidence |");
});
