import { expect, test } from "vitest";
import { type Change, copyBuild } from "./build.ts";
import type { FailpointOptions } from "./failpoint.ts";
import { runFeatureStory } from "./features-story.ts";
import { type Step, steps } from "./steps.ts";

const killedBefore = (step: Step, at = [1, 2]): FailpointOptions => ({
  step,
  moment: "before",
  at,
});

const effects = "await outages.retryUntilAvailable(() => handle(values, context));";

/** Builds with a known fault, each with a story that must not end well. */
const mutants: readonly {
  name: string;
  change: Change;
  failpoint?: FailpointOptions;
  finds: RegExp;
}[] = [
  {
    name: "rows are written without the proof that their events are in them",
    change: {
      file: "handlers/features/store.js",
      from: "WHERE i IN (SELECT i FROM updated UNION ALL SELECT i FROM made)",
      to: "WHERE false",
    },
    failpoint: killedBefore(steps.ack, [1, 40]),
    finds: /version \d+ instead of \d+/,
  },
  {
    name: "messages are acked before their events are applied",
    change: {
      file: "runtime/consumer.js",
      from: effects,
      to: `for (const { delivery } of arrivals) delivery.ack(); ${effects}`,
    },
    failpoint: killedBefore(steps.featureWrite),
    finds: /missing proof/,
  },
  {
    name: "rows are written over without comparing versions",
    change: {
      file: "handlers/features/store.js",
      from: "= asked.before",
      to: "IS NOT NULL",
    },
    finds: /features .* instead of /,
  },
];

/** More than enough for a fault that shows by chance. */
const seeds = [1, 2, 3, 4];

test.for(mutants)("it shows when $name", async ({ name, change, failpoint, finds }) => {
  const build = copyBuild([change]);
  const reports: string[] = [];
  try {
    for (const seed of seeds) {
      const { report } = await runFeatureStory({
        ...{ name, seed, main: build.main },
        ...(failpoint && { failpoint }),
      });
      reports.push(report);
      if (finds.test(report)) break;
    }
  } finally {
    build.remove();
  }
  const found = reports.map(
    (report) => `${report.split("\n").slice(0, 3).join("\n").slice(0, 600)}`,
  );
  console.info(found.join("\n"));
  expect(reports.join("\n")).toMatch(finds);
});
