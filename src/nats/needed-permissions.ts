import type { BaseSettings } from "../settings/base.ts";
import {
  bucketStream,
  deadLetterSubject,
  deadLettersStream,
  endpointSubject,
  infoSubject,
  queueGroup,
  serviceName,
} from "../subjects.ts";
import type { DesiredState, WantedDurable, WantedStream } from "./desired-state.ts";
import { call, type Permission, publish, subscribe, withApiPrefix } from "./grants.ts";

/** Where a connection learns what it may do (nats-server 2.10 and later). */
export const userInfoSubject = "$SYS.REQ.USER.INFO";

export interface ServiceNeeds {
  readonly settings: BaseSettings;
  /** What the hosted concerns stand on. */
  readonly desired: DesiredState;
  /** What all concerns stand on: stats tells of the whole fleet. */
  readonly everything: DesiredState;
  /** Further streams that stats counts. */
  readonly counted: readonly string[];
  /** Subjects of the endpoints. */
  readonly subjects: readonly string[];
  /** What the hosted concerns declare in addition. */
  readonly own: readonly Permission[];
}

/** Everything that the service does with NATS under these settings, one by one. */
export function neededPermissions(needs: ServiceNeeds): Permission[] {
  const { settings, desired, everything, counted, subjects, own } = needs;
  const { streams, durables } = desired;
  const told = everything.streams
    .map(({ stream }) => stream.name)
    .filter((name) => !name.startsWith(bucketStream("")));
  const all = distinct([
    ...connecting(settings),
    ...answering(subjects),
    publish(endpointSubject(">"), "asks other replicas for what comes by HTTP"),
    publish(infoSubject, "learns what other replicas answer"),
    ...streams.map(({ stream }) => call("STREAM.INFO", [stream.name], "looks whether it is there")),
    ...streams.flatMap(({ stream }) => keeping(stream)),
    call("STREAM.MSG.GET", [deadLettersStream], "finds dead letters"),
    ...durables.flatMap(consuming),
    ...own,
    ...(settings.provision === "apply" ? creating(desired) : []),
    ...[...told, ...counted].map((name) =>
      call("STREAM.INFO", [name], "counts messages for stats"),
    ),
    ...everything.durables.map((one) =>
      call("CONSUMER.INFO", namesOf(one), "tells the lag in stats"),
    ),
  ]);
  return withApiPrefix(all, settings.nats.jsApiPrefix);
}

/** What provisioning does: looks what is there, creates what is missing, updates what differs. */
export function provisionerPermissions(
  settings: BaseSettings,
  desired: DesiredState,
): Permission[] {
  const { streams, durables } = desired;
  const all = distinct([
    ...connecting(settings),
    ...streams.map(({ stream }) => call("STREAM.INFO", [stream.name], "looks whether it is there")),
    ...durables
      .filter(({ inOrder }) => !inOrder)
      .map((one) => call("CONSUMER.INFO", namesOf(one), "looks whether it is there")),
    ...creating(desired),
    ...streams.map(({ stream }) => call("STREAM.UPDATE", [stream.name], "updates what differs")),
  ]);
  return withApiPrefix(all, settings.nats.jsApiPrefix);
}

const namesOf = ({ stream, config }: WantedDurable) => [stream.name, config.durable_name] as const;

function connecting({ nats }: BaseSettings): Permission[] {
  return [
    subscribe(`${nats.inboxPrefix}.>`, "gets answers and messages"),
    publish(userInfoSubject, "reads what it may do"),
    call("INFO", [], "asks whether JetStream is there"),
  ];
}

/** Requests and discovery (ADR-32). */
function answering(subjects: readonly string[]): Permission[] {
  const verbs = ["PING", "INFO", "STATS"].map((verb) => `$SRV.${verb}`);
  return [
    { operation: "respond", subject: "_INBOX.>", why: "answers requests" },
    ...subjects.map((one) => subscribe(one, "takes requests", queueGroup)),
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

function creating({ streams, durables }: DesiredState): Permission[] {
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
