import type { Positions } from "../../postgres/positions.ts";
import type { Consumption } from "../../runtime/consumer.ts";
import type { StoredMessage } from "../../runtime/delivery.ts";
import type { Lease } from "../../runtime/lease.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import { counts as names, positionName } from "../../subjects.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import { leniently, messageDecoder } from "../extractor/ingest.ts";
import { rulesFor } from "../extractor/rules/index.ts";
import { openSoleReader } from "../sole-reader.ts";
import { type Countable, createCounting } from "./counting.ts";
import { consoleEndpoints } from "./endpoints.ts";
import type { ConsoleMetrics } from "./metrics.ts";
import { openCountReader } from "./reader.ts";
import { openReplicas } from "./replicas.ts";
import type { AllConsoleSettings } from "./settings.ts";
import { shareReads } from "./shared-reads.ts";
import { agentStepsSeconds, day, hour, stepsSeconds } from "./steps.ts";
import { type CountStore, openCountStore } from "./store.ts";

/** So soon the reader of an idle stream sees that the counts are to be made again. */
const lookEveryMs = 1_000;

type Context = ConcernContext<AllConsoleSettings, ConsoleMetrics>;

export async function openConsole(context: Context): Promise<RunningConcern> {
  const { opened, settings, metrics } = context;
  const { jsm, database } = opened;
  const { stream } = settings;
  const store = openCountStore(database);
  const reader = await openSoleReader(context, names.durable);
  const { durable, attempts, lease, probeKv } = reader;
  const again = createRestart(lease);
  const positions = openCountPositions(reader.positions, store, () => metrics.countRebuilds.inc());
  const isSlow = slowBy(settings);
  const counting = createCounting({
    ...{ store, name: positions.name, isSlow, restart: again.restart },
    counted: (messages) => metrics.messagesCounted.inc(messages),
  });
  const consumption: Consumption<Countable> = {
    ...{ stream, durable: names.durable },
    decode: countableDecoder(settings),
    handle: (items) => counting.count(items),
    // The statement that adds the counts has moved the position: nothing else may, or a rebuild would be lost.
    inOrder: { advance: async () => undefined },
  };
  return {
    parts: [
      {
        endpoints: consoleEndpoints({
          reader: shareReads(openCountReader(database), () => performance.now()),
          replicas: openReplicas(opened.nc),
          async rebuild() {
            const { created, state } = await jsm.streams.info(stream);
            await store.startRebuild(positionName(names.durable, stream, created));
            return state.messages;
          },
        }),
        consumptions: [consumption],
      },
    ],
    durables: [
      {
        ...{ wanted: durable, maxDeliver: settings.sourceMaxDeliver, attempts },
        ordered: { lease: again.lease, positions },
      },
    ],
    maintenance: [noticing(lease, store, positions, again.restart), removal(store, settings)],
    probeKv,
    stop: () => lease.stop(),
  };
}

function slowBy(settings: AllConsoleSettings) {
  const rules = rulesFor(settings).filter(({ type }) => type === "latency");
  return (event: Parameters<(typeof rules)[number]["signature"]>[0]) =>
    rules.some((rule) => rule.signature(event) !== null);
}

/** What is invalid only moves the position. */
function countableDecoder(settings: Context["settings"]): (message: StoredMessage) => Countable {
  const decode = leniently(
    messageDecoder({
      subject: settings.subject,
      maxFutureMs: settings.maxFutureSeconds * 1_000,
      ...{ rules: rulesFor(settings), okSamplePercent: 100 },
    }),
  );
  return (message) => {
    const { reading, identity } = message;
    if (reading === undefined) throw new Error("counts need a stream that is read in order");
    const sequence = Number(identity.slice(identity.lastIndexOf(":") + 1));
    return { reading, sequence, event: decode(message) };
  };
}

/** A lease whose holder can be made to read again from the start, while no other replica takes over. */
function createRestart(lease: Lease) {
  let reading = new AbortController();
  return {
    restart: () => reading.abort(),
    lease: {
      async held(stop: AbortSignal) {
        const until = await lease.held(stop);
        reading = new AbortController();
        return AbortSignal.any([until, reading.signal]);
      },
      get isHeld() {
        return lease.isHeld;
      },
      stop: () => lease.stop(),
    },
  };
}

/** Where a reading begins: after the old counts are gone, if they are to be made again. */
function openCountPositions(
  positions: Positions,
  store: Pick<CountStore, "finishRebuild">,
  rebuilt: () => void,
) {
  let known = "";
  let begunAt = 0;
  return {
    ...positions,
    name: () => known,
    begunAt: () => begunAt,
    async read(name: string) {
      if (await store.finishRebuild(name)) rebuilt();
      begunAt = await positions.read(name);
      known = name;
      return begunAt;
    },
  };
}

function noticing(
  lease: Lease,
  store: Pick<CountStore, "position">,
  positions: { readonly name: () => string; readonly begunAt: () => number },
  restart: () => void,
): Upkeep {
  return {
    name: "looking whether counts are to be made again",
    everyMs: lookEveryMs,
    async run() {
      const name = positions.name();
      if (!lease.isHeld || name === "") return;
      if ((await store.position(name)) < positions.begunAt()) restart();
    },
  };
}

function removal(store: CountStore, settings: AllConsoleSettings): Upkeep {
  const { consoleMinutesDays, consoleHoursDays, consoleDaysDays } = settings;
  const daysOf = (step: number) =>
    step < hour ? consoleMinutesDays : step < day ? consoleHoursDays : consoleDaysDays;
  return {
    name: "removing old counts",
    everyMs: 3_600_000,
    async run() {
      for (const step of stepsSeconds) await store.removeBefore(step, daysOf(step));
      for (const step of agentStepsSeconds) await store.removeAgentStepsBefore(step, daysOf(step));
      await store.removeAgentsBefore(consoleDaysDays);
    },
  };
}
