import { readdirSync, readFileSync } from "node:fs";
import { dirname, join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, test } from "vitest";

const root = fileURLToPath(new URL("../../src", import.meta.url));

/** Files that do input or output, or put together what does: by name, in each concern. */
const doers =
  /\/(run-knowledge-store|wide-store|reads|otlp-routes|hook-route|run-route|unpack|open|index|store|bucket|history|publishers|archive|endpoints|explain|ingest|apply|record|follow|feed|heartbeats|maintenance|maintenance-store|notifications|lesson-reader|lesson-filter|lesson-ranking|recall|change|step|feedback|extraction|judged|store-due|rebuild|learn|recount|figures|metrics|planners|private-key|claims|claim-rows|claiming|ending|iterations|runner|work|outbox|overview|lessons|experience|decryption|consume|ledger|evaluate|success-memory|counting|reader|acked|backtest|verify|replicas|stream)\.ts$/;

/** What a pure file may import besides its like: shapes, errors, hashes, schema checks, bounded caches. */
const allowed = [/^\.{1,2}\//, /^node:crypto$/, /^lru-cache$/, /^croner$/];

const pureFiles = [
  "console",
  "effects",
  "extractor",
  "features",
  "history",
  "ingest",
  "lessons",
  "memory",
  "missions",
  "review",
  "runs",
  "windows",
].flatMap((concern) =>
  readdirSync(join(root, "handlers", concern), { recursive: true, encoding: "utf8" })
    .map((name) => join(root, "handlers", concern, name))
    .filter((path) => path.endsWith(".ts") && !doers.test(path)),
);
pureFiles.push(
  ...["pull-credit", "pull-session", "pull-state"].map((name) => join(root, `runtime/${name}.ts`)),
);

const imports = (text: string) =>
  [...text.matchAll(/^import (?!type)[^;]*? from "([^"]+)";/gm)].map(([, from]) => String(from));

/** Everything that a file loads, directly or not, each with the file that asks for it. */
function loads(path: string, seen = new Map<string, string>()): Map<string, string> {
  for (const from of imports(readFileSync(path, "utf8"))) {
    const target = from.startsWith(".") ? join(dirname(path), from) : from;
    if (seen.has(target)) continue;
    seen.set(target, relative(root, path));
    if (from.startsWith(".")) loads(target, seen);
  }
  return seen;
}

test("there are pure files to look at", () => {
  expect(pureFiles.length).toBeGreaterThan(20);
});

test.each(pureFiles.map((path) => [relative(root, path), path]))(
  "%s reaches no server, clock or environment",
  (_, path) => {
    const outside = [...loads(path)].filter(
      ([target]) => !target.startsWith("/") && !allowed.some((one) => one.test(target)),
    );
    expect(outside).toEqual([]);
    const text = readFileSync(path, "utf8");
    expect(text).not.toMatch(/Date\.now\(|new Date\(\)|performance\.now|process\.env|Math\.random/);
  },
);
