import { setImmediate as turn } from "node:timers/promises";
import { orNull } from "../../nats/errors.ts";
import { readSince } from "../../nats/reader.ts";
import type { Positions } from "../../postgres/positions.ts";
import type { Consumption } from "../../runtime/consumer.ts";
import { namesOf } from "../../runtime/consumers.ts";
import type { Dependencies } from "../../runtime/dependencies.ts";
import type { Upkeep } from "../../runtime/maintenance.ts";
import { windows as names, positionName } from "../../subjects.ts";
import type { ConcernContext, RunningConcern } from "../concern.ts";
import type { ExperienceEvent } from "../extractor/event.ts";
import { windowIndex } from "../extractor/evidence.ts";
import { storedMessage } from "../extractor/history.ts";
import { leniently, type MessageDecoder, messageDecoder } from "../extractor/ingest.ts";
import { lessonPublisher } from "../extractor/publishers.ts";
import { type Rule, rulesFor } from "../extractor/rules/index.ts";
import { openLessonStore } from "../extractor/store.ts";
import { openSoleReader } from "../sole-reader.ts";
import { createCatchingUp } from "./catching-up.ts";
import { createLearning } from "./learn.ts";
import type { WindowMetrics } from "./metrics.ts";
import { recount } from "./recount.ts";
import { type AllWindowSettings, timesOf } from "./settings.ts";
import { openWindowStore, type WindowStore } from "./store.ts";
import { openWideStore } from "./wide-store.ts";

const dayMs = 86_400_000;
const rankedAtOnce = 500;
/** A request for messages costs about as much as reading some hundred. */
const readAtOnce = 1_000;
/** Some milliseconds' worth; then others of the process get their turn. */
const decodedAtOnce = 500;

type Context = ConcernContext<AllWindowSettings, WindowMetrics>;

export async function openWindows(context: Context): Promise<RunningConcern> {
  const { opened, settings, metrics, log } = context;
  const { js, jsm, database } = opened;
  const times = timesOf(settings);
  const maxFutureMs = settings.maxFutureSeconds * 1_000;
  const { subject, stream, countBy } = settings;
  const rules = rulesFor(settings);
  const { durable, attempts, lease, positions, probeKv } = await openSoleReader(
    context,
    names.durable,
  );
  const windows = openWindowStore(database, times);
  const isCatchingUp = createCatchingUp();
  const decode = leniently(messageDecoder({ subject, maxFutureMs, rules, okSamplePercent: 100 }));
  return {
    parts: [
      {
        endpoints: [],
        consumptions: [consumption(context, { decode, rules, windows, positions })],
      },
    ],
    durables: [
      {
        wanted: durable,
        maxDeliver: settings.sourceMaxDeliver,
        attempts,
        ordered: { lease, positions },
      },
    ],
    maintenance: [
      recount({
        ...{ store: windows, rules, log },
        settings: { ...times, countBy, maxFutureMs },
        read: (since) => eventsSince({ js, jsm }, { stream, subject, since }, decode),
        isDue: async () => lease.isHeld && !isCatchingUp(await behind(jsm, namesOf(durable))),
        counted: (count) => metrics.windowsCounted.inc(count),
      }),
      ranking(windows, () => lease.isHeld),
      removal(windows, settings),
    ],
    probeKv,
    async updateGauges() {
      metrics.windowsDue.set(await windows.countDue());
    },
    stop: () => lease.stop(),
  };
}

function consumption(
  { opened, settings, metrics, tracing }: Context,
  parts: {
    readonly decode: MessageDecoder;
    readonly rules: readonly Rule[];
    readonly windows: Pick<WindowStore, "touch">;
    readonly positions: Positions;
  },
): Consumption<ExperienceEvent> {
  const { js, database } = opened;
  const { decode, rules, windows, positions } = parts;
  const { windowMs } = timesOf(settings);
  const learn = createLearning(
    {
      wide: openWideStore(database),
      lessons: openLessonStore(database, { publish: settings.lessonPublishEnabled }),
      publisher: lessonPublisher(js, settings.lessonSubject, tracing),
    },
    rules,
    {
      ...{ windowMs, countBy: settings.countBy, slowRuns: settings.slowRuns },
      okSamplePercent: settings.okSamplePercent,
      ...{ slowWindowMs: settings.slowWindowDays * dayMs, fleetAgents: settings.fleetAgents },
    },
  );
  return {
    stream: settings.stream,
    durable: names.durable,
    decode,
    async handle(events) {
      const { inserted } = await learn(events);
      for (const { lesson_type, scope } of inserted)
        metrics.wideLessons.inc({ lesson_type, scope });
      const indexes = new Set(events.map(({ ts }) => windowIndex(ts, windowMs)));
      await windows.touch([...indexes].map((index) => index * windowMs));
    },
    inOrder: {
      advance: ({ sequence, streamCreated }) =>
        positions.advance(positionName(names.durable, settings.stream, streamCreated), sequence),
    },
  };
}

/** Everything in the stream that was stored since then, up to what is there now. */
async function* eventsSince(
  { js, jsm }: Pick<Dependencies, "js" | "jsm">,
  { stream, subject, since }: { stream: string; subject: string; since: number },
  decode: MessageDecoder,
): AsyncGenerator<readonly ExperienceEvent[]> {
  const { created, state } = await jsm.streams.info(stream);
  if (state.messages === 0) return;
  const range = { subject, since: Math.max(0, since), upTo: state.last_seq };
  for await (const messages of readSince(js, jsm, stream, range, decodedAtOnce, readAtOnce)) {
    for (let i = 0; i < messages.length; i += decodedAtOnce) {
      const some = messages.slice(i, i + decodedAtOnce);
      yield some.flatMap((message) => decode(storedMessage(message, created)) ?? []);
      await turn();
    }
  }
}

async function behind(
  jsm: Dependencies["jsm"],
  { stream, durable }: { stream: string; durable: string },
): Promise<number> {
  const info = await orNull(() => jsm.consumers.info(stream, durable));
  return info === null ? Number.POSITIVE_INFINITY : info.num_pending + info.num_ack_pending;
}

/** One replica does; should two at once, they find the same. */
function ranking(windows: Pick<WindowStore, "rank">, isDue: () => boolean): Upkeep {
  return {
    name: "ranking lessons",
    everyMs: 2_000,
    async run(signal) {
      while (!signal.aborted && isDue() && (await windows.rank(rankedAtOnce)) === rankedAtOnce);
    },
  };
}

function removal(
  windows: Pick<WindowStore, "removeBefore">,
  { windowRetentionDays, slowWindowDays }: AllWindowSettings,
): Upkeep {
  return {
    name: "removing old windows",
    everyMs: 3_600_000,
    async run() {
      await windows.removeBefore(windowRetentionDays, slowWindowDays);
    },
  };
}
