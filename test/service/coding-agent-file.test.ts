import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { expect, test } from "vitest";
import { readFigures } from "../../src/handlers/windows/figures.ts";
import { headline, recovery, size } from "../../src/handlers/windows/sentences.ts";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";

/** 500 real runs of a coding agent: what they publish, with their own clock. */
const file = fileURLToPath(
  new URL("../../../shared/data/mini-swe-experience.jsonl.gz", import.meta.url),
);

async function isCounted({ broker: { jsm }, database: { sql } }: Stack): Promise<boolean> {
  const { num_pending, num_ack_pending } = await jsm.consumers.info(
    "EXPERIENCE",
    "lesson-windows-v1",
  );
  const [row] = await sql`
    SELECT count(*)::int AS marks, count(*) FILTER (WHERE touches > counted)::int AS due FROM window_marks`;
  return num_pending + num_ack_pending === 0 && row?.["marks"] > 0 && row?.["due"] === 0;
}

test.skipIf(!existsSync(file))(
  "few lessons, the biggest first, say what 500 runs had in common",
  async () => {
    const stack = await openStack();
    await stack.start();
    const lines = gunzipSync(readFileSync(file)).toString().trim().split("\n");
    for (let from = 0; from < lines.length; from += 500) {
      const some = lines.slice(from, from + 500);
      await Promise.all(
        some.map((line) => stack.broker.js.publish("agent.experience.v1.mini-swe", line)),
      );
    }
    await eventually(() => isCounted(stack), 120_000);
    const database = openDatabase({ url: stack.database.url, log: silentLog });
    const figures = await readFigures(database, {}, 100).finally(() => database.close());
    const said = figures.map((one) => `${headline(one)}: ${size(one)}. ${recovery(one)}`);
    console.info(said.join("\n"));
    expect(figures.length).toBeLessThanOrEqual(45);
    expect(new Set(figures.map(headline)).size).toBe(figures.length);
    expect(said[0]).toMatch(
      /^format failed with .* 58 % of 500 runs, 6\d\d failures\. The next step worked 57\d of/,
    );
    expect(figures.every(({ lesson_type }) => lesson_type === "error")).toBe(true);
  },
  180_000,
);
