import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterAll, expect, test } from "vitest";
import { parts } from "../../bench/parts.ts";

const folder = mkdtempSync(join(tmpdir(), "experience-bus-bench-"));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const positive = { asymmetricMatch: (value: unknown) => typeof value === "number" && value > 0 };
const rounds = { rounds: [expect.anything()] };

/** What each part has measured at least, in its quick form. */
const figuresOf: Record<string, unknown> = {
  throughput: ["a", "b", "c", "d", "e", "f"].map((name) => ({ name, rates: [positive] })),
  mix: { rounds: [{ puts: positive }] },
  scaling: [rounds, rounds, rounds, rounds],
  delay: { lessons: positive },
  memory: { rssMiB: Array.from({ length: 10 }, () => positive) },
  windows: { windows: positive },
  features: { rates: [positive], database: [positive], delay: { p99: positive } },
  runs: { rates: [positive], database: [positive] },
  costs: { kinds: Array.from({ length: 6 }, () => ({ serviceUs: positive })) },
  recall: { nats: { p99: positive }, http: { p99: positive } },
  "memory-recall": { recalls: { answered: positive } },
  missions: { due: 20, held: { statements: positive } },
  ingest: { loads: [{ lost: 0 }, { lost: 0 }] },
  hook: { hooks: [{ failed: 0 }, { failed: 0 }] },
  history: { isExact: true, events: 4_000 },
  console: { open: { share: positive } },
  replication: expect.anything(),
};

test.for(parts)(
  "the part $name of the benchmark still runs and writes its figures",
  {
    timeout: 300_000,
  },
  async ({ name }) => {
    const out = join(folder, `${name}.json`);
    const args = ["--import", "tsx", "bench/main.ts", "--quick", "--only", name, "--out", out];
    const { stdout } = await promisify(execFile)(process.execPath, args);
    const figures = JSON.parse(readFileSync(out, "utf8"));
    expect(figures[name]).toMatchObject(figuresOf[name] as object);
    const [machine, , ...report] = stdout.trim().split("\n");
    expect(machine).toMatch(/cores, .* nats-server/);
    expect(report.join("")).toMatch(/\d/);
  },
);
