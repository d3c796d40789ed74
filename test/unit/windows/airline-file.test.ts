import { existsSync, readFileSync } from "node:fs";
import { expect, test } from "vitest";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { subjectOf } from "../../../src/handlers/extractor/lesson.ts";
import { reference } from "../../../src/handlers/extractor/reference.ts";
import { type Rule, rulesFor } from "../../../src/handlers/extractor/rules/index.ts";
import { eventFrom } from "../../../src/handlers/extractor/wire.ts";
import { countWindows } from "../../../src/handlers/windows/count.ts";
import { wideReference } from "../../../src/handlers/windows/reference.ts";
import { groupBy } from "../../../src/runtime/grouping.ts";

/** Events of real runs of an airline's agent, where they lie beside the repository. */
const file = new URL("../../../../shared/data/airline-experience.jsonl", import.meta.url);
const [windowMs, recoveryMs] = [1_800_000, 900_000];
const rules = rulesFor({
  ...{ errorThreshold: 3, silentThreshold: 5, latencyThreshold: 3, latencySpikeMs: 5_000 },
});

function eventsOfFile(): ExperienceEvent[] {
  const lines = readFileSync(file, "utf8").trim().split("\n");
  const context = {
    defaultAgentId: "a",
    defaultEventId: "e",
    storedAt: Date.now(),
    maxFutureMs: 0,
  };
  return lines.map((line) => eventFrom(JSON.parse(line), context));
}

const nameOf = ({ tool, provider, model }: ExperienceEvent) => tool ?? `${provider}/${model}`;

/** How many runs of a window failed so, and how many of them called the same with success soon after the first time. */
function plainRecount(events: readonly ExperienceEvent[], rule: Rule, key: string) {
  const isFailure = (event: ExperienceEvent) => {
    const signals = rule.signature(event);
    return signals !== null && subjectOf(rule, event, signals).lessonKey === key;
  };
  const failures = events.filter(isFailure);
  const byWindow = groupBy(failures, ({ ts, runId }) => `${Math.floor(ts / windowMs)} ${runId}`);
  const counts = new Map<number, { runs: number; recovered: number }>();
  for (const [name, found] of byWindow) {
    const window = Number(name.split(" ")[0]);
    const first = found.toSorted((a, b) => a.ts - b.ts)[0] as ExperienceEvent;
    const next = events
      .filter((one) => one.runId === first.runId && one.ts > first.ts)
      .filter((one) => one.ok && rule.signature(one) === null && nameOf(one) === nameOf(first))
      .toSorted((a, b) => a.ts - b.ts)[0];
    const count = counts.get(window) ?? { runs: 0, recovered: 0 };
    count.runs += 1;
    if (next !== undefined && next.ts <= first.ts + recoveryMs) count.recovered += 1;
    counts.set(window, count);
  }
  return counts;
}

test.skipIf(!existsSync(file))(
  "an airline's agent gets few lessons, none about a tool's latency, with recoveries as a plain recount has them",
  () => {
    const events = eventsOfFile();
    const settings = { windowMs, slowWindowMs: 14 * 86_400_000, slowRuns: 5, fleetAgents: 3 };
    const keys = new Set([
      ...reference(events, rules, windowMs).lessonKeys,
      ...wideReference(events, rules, { ...settings, countBy: "run" }).lessonKeys,
    ]);
    expect(keys.size).toBeGreaterThan(0);
    expect(keys.size).toBeLessThanOrEqual(8);
    const windows = new Set(events.map(({ ts }) => Math.floor(ts / windowMs)));
    const counted = countWindows(events, windows, rules, { windowMs, recoveryMs, countBy: "run" });
    let compared = 0;
    for (const key of keys) {
      for (const rule of rules) {
        const expected = plainRecount(events, rule, key);
        if (expected.size === 0) continue;
        const of = events.find((event) => {
          const signals = rule.signature(event);
          return signals !== null && subjectOf(rule, event, signals).lessonKey === key;
        });
        expect(rule.type === "latency" && rule.signature(of as ExperienceEvent)?.tool).toBeFalsy();
        const found = counted.signatures.filter(({ lessonKey }) => lessonKey === key);
        expect(
          found.map(({ runHashes, runsRecovered }) => [runHashes.length, runsRecovered]),
        ).toEqual(
          [...expected]
            .toSorted(([a], [b]) => a - b)
            .map(([, { runs, recovered }]) => [runs, recovered]),
        );
        compared += found.length;
      }
    }
    expect(compared).toBeGreaterThan(3);
  },
);
