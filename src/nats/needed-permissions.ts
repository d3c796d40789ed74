import type { ConcernName, Settings } from "../settings/index.ts";
import {
  deadLetterSubject,
  endpoints,
  queueGroup,
  replayedSubject,
  runNewsSubject,
  serviceName,
} from "../subjects.ts";
import { type WantedDurable, type WantedStream, wantedFrom } from "./desired-state.ts";
import type { Permission } from "./grants.ts";
import { neededFor } from "./needed.ts";

/** Where a connection learns what it may do (nats-server 2.10 and later). */
export const userInfoSubject = "$SYS.REQ.USER.INFO";

/** Everything that the service does with NATS under these settings, one by one. */
export function neededPermissions(settings: Settings): readonly Permission[] {
  const wanted = wantedFrom(settings);
  const { streams, durables } = neededFor(wanted, settings.concerns);
  const { experience, signals, feedback, runs, lessons, deadLetters, evidence } = wanted;
  const counted = [experience, signals, feedback, runs, lessons, deadLetters, evidence];
  return distinct([
    ...connecting(settings),
    ...answering(settings.concerns),
    ...streams.map(({ stream }) => call("STREAM.INFO", [stream.name], "looks whether it is there")),
    ...streams.flatMap(({ stream }) => keeping(stream)),
    call("STREAM.MSG.GET", [deadLetters.name], "finds dead letters"),
    ...durables.flatMap(consuming),
    ...settings.concerns.flatMap((concern) => ofConcern[concern](settings)),
    ...(settings.provision === "apply" ? creating(settings) : []),
    ...counted.map(({ name }) => call("STREAM.INFO", [name], "counts messages for stats")),
    ...Object.values(wanted.durables).map((one) =>
      call("CONSUMER.INFO", namesOf(one), "tells the lag in stats"),
    ),
  ]);
}

/** What whoever provisions does: looks what is there, creates what is missing, updates what differs. */
export function provisionerPermissions(settings: Settings): readonly Permission[] {
  const { streams, durables } = neededFor(wantedFrom(settings), settings.concerns);
  return distinct([
    ...connecting(settings),
    ...streams.map(({ stream }) => call("STREAM.INFO", [stream.name], "looks whether it is there")),
    ...durables
      .filter(({ inOrder }) => !inOrder)
      .map((one) => call("CONSUMER.INFO", namesOf(one), "looks whether it is there")),
    ...creating(settings),
    ...streams.map(({ stream }) => call("STREAM.UPDATE", [stream.name], "updates what differs")),
  ]);
}

const publish = (subject: string, why: string): Permission => ({
  ...{ operation: "publish", subject, why },
});
const subscribe = (subject: string, why: string, queue?: string): Permission => ({
  ...{ operation: "subscribe", subject, why },
  ...(queue !== undefined && { queue }),
});
/** A request to the JetStream API. */
const call = (name: string, names: readonly string[], why: string) =>
  publish(["$JS.API", name, ...names].join("."), why);

const namesOf = ({ stream, config }: WantedDurable) => [stream.name, config.durable_name] as const;

function connecting({ nats }: Settings): Permission[] {
  return [
    subscribe(`${nats.inboxPrefix}.>`, "gets answers and messages"),
    publish(userInfoSubject, "reads what it may do"),
    call("INFO", [], "asks whether JetStream is there"),
  ];
}

const endpointsOf: Readonly<Record<ConcernName, readonly string[]>> = {
  extractor: [endpoints.extractor, endpoints.extractorExplain],
  features: [endpoints.featuresGet, endpoints.featuresBatch],
  runs: [
    ...[endpoints.runsAppend, endpoints.runsHeartbeat, endpoints.runsGet],
    ...[endpoints.runsList, endpoints.runsEvents, endpoints.runsLatest],
  ],
  deadletters: [
    ...[endpoints.deadLettersList, endpoints.deadLettersGet],
    ...[endpoints.deadLettersReplay, endpoints.deadLettersPurge],
  ],
};

/** Requests and discovery (ADR-32). */
function answering(concerns: readonly ConcernName[]): Permission[] {
  const hosted = concerns.flatMap((concern) => endpointsOf[concern]);
  const always = [endpoints.health, endpoints.healthOf("*"), endpoints.stats];
  const verbs = ["PING", "INFO", "STATS"].map((verb) => `$SRV.${verb}`);
  return [
    { operation: "respond", subject: "_INBOX.>", why: "answers requests" },
    ...[...always, ...hosted].map((one) => subscribe(one, "takes requests", queueGroup)),
    ...verbs
      .flatMap((verb) => [verb, `${verb}.${serviceName}`, `${verb}.${serviceName}.*`])
      .map((one) => subscribe(one, "is found by nats micro")),
  ];
}

/** A bucket's documents; other streams are not written here. */
function keeping({ name, subjects }: WantedStream): Permission[] {
  const [subject = ""] = subjects;
  if (!subject.startsWith("$KV.")) return [];
  return [
    call("STREAM.MSG.GET", [name], "reads shared state"),
    publish(subject, "writes shared state"),
  ];
}

function consuming(one: WantedDurable): Permission[] {
  const [stream, durable] = namesOf(one);
  return [
    call("CONSUMER.INFO", [stream, durable], "finds its consumer"),
    call("CONSUMER.MSG.NEXT", [stream, durable], "reads messages"),
    publish(`$JS.ACK.${stream}.${durable}.>`, "acknowledges messages"),
    call("STREAM.MSG.GET", [stream], "tells in health when the last message was stored"),
    publish(deadLetterSubject(stream, durable), "writes dead letters"),
    ...(one.inOrder
      ? [
          call("CONSUMER.DELETE", [stream, durable], "reads on where the last replica came to"),
          call("CONSUMER.CREATE", createdAs(one), "reads on where the last replica came to"),
        ]
      : []),
  ];
}

const createdAs = (one: WantedDurable) => [...namesOf(one), one.config.filter_subject];

/** A reader's name is made up anew for each reading, and a wildcard stands for a whole token only. */
function reading(stream: string, filter: readonly string[], why: string): Permission[] {
  return [
    call("CONSUMER.CREATE", [stream, ...filter], why),
    call("CONSUMER.INFO", [stream, "*"], why),
    call("CONSUMER.MSG.NEXT", [stream, "*"], why),
  ];
}

const ofConcern: Readonly<Record<ConcernName, (settings: Settings) => Permission[]>> = {
  extractor: ({ stream, subject, lessonSubject, lessonPublishEnabled }) => [
    publish(subject, "stores events that come by request"),
    ...(lessonPublishEnabled ? [publish(lessonSubject, "publishes lessons")] : []),
    ...reading(stream, ["*", subject], "reads events again"),
  ],
  features: () => [],
  runs: () => [
    publish(runNewsSubject("*"), "tells other replicas of new events"),
    subscribe(runNewsSubject("*"), "hears of new events of runs that are followed"),
  ],
  deadletters(settings) {
    const wanted = wantedFrom(settings);
    const { name } = wanted.deadLetters;
    return [
      ...reading(name, [], "reads dead letters"),
      call("CONSUMER.DELETE", [name, "*"], "reads dead letters"),
      call("STREAM.MSG.DELETE", [name], "purges dead letters"),
      publish(replayedSubject("*", "*", "*"), "marks replayed dead letters"),
      ...Object.values(wanted.durables).map(({ config }) =>
        publish(config.filter_subject, "replays dead letters"),
      ),
    ];
  },
};

function creating(settings: Settings): Permission[] {
  const { streams, durables } = neededFor(wantedFrom(settings), settings.concerns);
  return [
    ...streams.map(({ stream }) => call("STREAM.CREATE", [stream.name], "creates what is missing")),
    call("STREAM.NAMES", [], "says which stream is in the way"),
    call("STREAM.INFO", ["*"], "says which stream is in the way"),
    ...durables
      .filter(({ inOrder }) => !inOrder)
      .map((one) => call("CONSUMER.CREATE", createdAs(one), "creates what is missing")),
  ];
}

/** The first reason for each. */
function distinct(all: readonly Permission[]): Permission[] {
  const byName = new Map<string, Permission>();
  for (const one of all) {
    const key = `${one.operation} ${one.subject}`;
    if (!byName.has(key)) byName.set(key, one);
  }
  return [...byName.values()];
}
