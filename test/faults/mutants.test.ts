import { expect, test } from "vitest";
import { type Change, copyBuild } from "./build.ts";
import type { FailpointOptions } from "./failpoint.ts";
import { durable } from "./stack.ts";
import { type Step, steps } from "./steps.ts";
import { type Fault, runStory } from "./story.ts";

const killedBefore = (step: Step, when: Partial<FailpointOptions> = {}): Fault => ({
  name: `replicas killed before: ${step.name}`,
  failpoint: { step, moment: "before", at: [1, 2], ...when },
});

/** Batches stay small, so that there are as many steps as these faults want to choose from. */
const env = { EXPERIENCE_FETCH_BATCH: "2" };

const effects = "await outages.retryUntilAvailable(() => handle(values, context));";
const publication =
  "await allSettled(rows.map((row) => publisher.publish(row, causes.get(row.lesson_key))));";

/** Builds with a known fault, each with a story that must not end well. */
const mutants: readonly {
  readonly name: string;
  readonly change: Change;
  readonly fault: Fault;
  readonly finds: RegExp;
  readonly env?: Readonly<Record<string, string>>;
}[] = [
  {
    name: "messages are acked before their effects",
    change: {
      file: "runtime/consumer.js",
      from: effects,
      to: `for (const { delivery } of arrivals) delivery.ack(); ${effects}`,
    },
    // Later than the first rebuild, which would find the lost events again.
    fault: killedBefore(steps.evidence, { at: [5, 5, 5, 5], unarmed: true }),
    finds: /missing lesson/,
  },
  {
    name: "documents are marked before the lessons are stored",
    change: {
      file: "handlers/extractor/store-due.js",
      from: "const stored = await lessons.store(",
      to: "await allSettled(due.map((one) => markStored(one, ports, windowMs))); const stored = await lessons.store(",
    },
    fault: killedBefore(steps.insert),
    finds: /missing lesson/,
  },
  {
    name: "publications are confirmed before they are made",
    change: {
      file: "handlers/extractor/store-due.js",
      from: publication,
      to: `await lessons.confirmPublished(rows.map((row) => row.lesson_key)); ${publication}`,
    },
    fault: killedBefore(steps.publish),
    finds: /missing publication/,
  },
  {
    name: "lessons are published without an identity",
    change: {
      file: "handlers/extractor/publishers.js",
      from: "{ msgID: row.lesson_key, ",
      to: "{ ",
    },
    fault: killedBefore(steps.confirm),
    finds: /2 times the publication/,
  },
  {
    name: "messages are terminated before their dead letter is written",
    change: {
      file: "runtime/isolation.js",
      from: "await outages.retryUntilAvailable(() => deadLetters.write(delivery, cause));",
      // What answers a delivery is written at the end of the turn.
      to: "delivery.term(cause.code); await null; await outages.retryUntilAvailable(() => deadLetters.write(delivery, cause));",
    },
    fault: killedBefore(steps.deadLetter),
    finds: /missing dead letter/,
  },
  {
    name: "a lost bucket is not rebuilt",
    change: {
      file: "handlers/extractor/rebuild.js",
      from: "if (covers(record.value, ts, startedAt, settings)) {",
      to: "if (covers(record.value, ts, startedAt, settings) || true) {",
    },
    fault: {
      name: "the evidence bucket purged",
      async inject({ broker }) {
        await broker.jsm.streams.purge(`KV_${durable}-evidence`);
      },
    },
    finds: /missing lesson/,
  },
  {
    name: "documents are written without comparing revisions",
    change: { file: "kv/documents.js", from: "{ previousSeq: revision }", to: "{}" },
    fault: { name: "nothing" },
    finds: /missing (lesson|sighting)/,
    // Else two replicas hardly ever write the same document.
    env: { EXPERIENCE_AFFINITY: "none" },
  },
];

/** More than enough for a fault that shows by chance. */
const seeds = [1, 2, 3, 4, 5, 6, 7, 8];

test.for(mutants)("it shows when $name", async ({ change, fault, finds, env: own = {} }) => {
  const build = copyBuild([change]);
  const reports: string[] = [];
  try {
    for (const seed of seeds) {
      const { report } = await runStory({ seed, fault, main: build.main, env: { ...env, ...own } });
      reports.push(report);
      if (finds.test(report)) break;
    }
  } finally {
    build.remove();
  }
  console.info(reports.join("\n"));
  expect(reports.join("\n")).toMatch(finds);
});
