import { jetstreamManager } from "@nats-io/jetstream";
import type { Command } from "commander";
import { messageOf } from "../errors.ts";
import { desiredState } from "../handlers/derived.ts";
import { nats } from "../nats/errors.ts";
import { plan, type Step } from "../nats/plan.ts";
import { readSettings } from "../settings/index.ts";
import { jetStreamOptions } from "../settings/nats.ts";
import { connectFor, environmentFor, type GlobalOptions } from "./ask.ts";
import { Ended, exitCodes } from "./exit.ts";
import { printJson } from "./print.ts";
import { printable } from "./table.ts";

interface Outcome {
  readonly step: Step;
  readonly state: "done" | "to do" | "failed";
  readonly error?: string;
}

/** `provision`: makes what is missing in JetStream and updates what differs; changes nothing else. */
export function addProvisionCommand(program: Command): void {
  program
    .command("provision")
    .description("creates what is missing in JetStream, and updates what differs from the settings")
    .option("--dry-run", "only say what would be done")
    .addHelpText(
      "after",
      `
Streams, KV buckets and durables as the settings (EXPERIENCE_…, JETSTREAM_REPLICAS) want them. Nothing is
deleted, and a durable that exists is never recreated: what JetStream cannot change is left to you, and the
command ends with 1 where the service cannot do without. Of a stream that exists only what the service depends
on is looked at.
With --dry-run it ends with 0 though something is to be done; how many steps there are, --json tells.

Examples:
  experience-bus provision --dry-run
  JETSTREAM_REPLICAS=3 experience-bus provision
  experience-bus provision --dry-run --json`,
    )
    .action((options: { dryRun?: boolean }, command: Command) =>
      provision(command.optsWithGlobals<GlobalOptions>(), options.dryRun ?? false),
    );
}

async function provision(global: GlobalOptions, dryRun: boolean): Promise<void> {
  const settings = readSettings(environmentFor(global), ["nats"]);
  const nc = await connectFor(global, settings.nats);
  const outcomes: Outcome[] = [];
  try {
    const needed = desiredState(settings);
    const jsm = await nats(() =>
      jetstreamManager(nc, {
        ...jetStreamOptions(settings.nats),
        timeout: global.timeout * 1_000,
      }),
    );
    for (const step of await plan(jsm, needed)) {
      const outcome = dryRun ? ({ step, state: "to do" } as const) : await carryOut(step);
      if (!global.json) console.log(sentence(outcome));
      outcomes.push(outcome);
    }
  } finally {
    await nc.close();
  }
  if (global.json) {
    printJson({ steps: outcomes.map(wireStep), dry_run: dryRun });
  } else if (outcomes.length === 0) {
    console.log("JetStream is as the settings want it.");
  }
  const undone = outcomes.some(({ step, state }) => {
    const isVital = step.drift.some(({ breaks }) => breaks);
    return state === "failed" || (step.run === undefined && isVital);
  });
  if (undone) throw new Ended(exitCodes.failed);
}

async function carryOut(step: Step): Promise<Outcome> {
  if (step.run === undefined) return { step, state: "to do" };
  try {
    await step.run();
    return { step, state: "done" };
  } catch (error) {
    return { step, state: "failed", error: messageOf(error) };
  }
}

const verbs = {
  create: { done: "created", "to do": "to create", failed: "cannot create" },
  update: { done: "updated", "to do": "to update", failed: "cannot update" },
  by_hand: { done: "by hand", "to do": "by hand", failed: "by hand" },
} as const;

function sentence({ step, state, error }: Outcome): string {
  const { what, action, drift, reason } = step;
  const fields = drift.map(
    ({ field, actual, wanted }) => `${field} ${json(actual)} -> ${json(wanted)}`,
  );
  const parts = [fields.join(", "), reason, error].filter(Boolean);
  const end = parts.length > 0 ? `: ${parts.join("; ")}` : "";
  return printable(`${verbs[action][state].padEnd(9)}  ${what}${end}`);
}

function json(value: unknown): string {
  return JSON.stringify(value ?? null);
}

function wireStep({ step: { what, action, drift, reason }, state, error }: Outcome) {
  const differs = drift.map(({ field, actual, wanted, breaks }) => ({
    ...{ field, actual: actual ?? null, wanted: wanted ?? null, breaks },
  }));
  return { what, action, done: state === "done", differs, reason, error };
}
