import { DeliverPolicy, type JsMsg } from "@nats-io/jetstream";
import type { MsgHdrs } from "@nats-io/transport-node";
import { isRefusal } from "../../src/errors.ts";
import type { ExperienceEvent } from "../../src/handlers/extractor/event.ts";
import { type Expected, reference } from "../../src/handlers/extractor/reference.ts";
import { rulesFor } from "../../src/handlers/extractor/rules/index.ts";
import { lessonKey } from "../../src/handlers/extractor/signature.ts";
import { decodeEvent } from "../../src/handlers/extractor/wire.ts";
import { deadLetterHeaders } from "../../src/runtime/dead-letter-message.ts";
import type { Broker } from "../rig/broker.ts";
import type { TestDatabase } from "../rig/database.ts";

/** What the contract's defaults are. */
const rules = rulesFor({
  errorThreshold: 3,
  silentThreshold: 5,
  latencyThreshold: 3,
  latencySpikeMs: 5_000,
});
const maxFutureMs = 300_000;

/** One server or a cluster. */
type JetStream = Pick<Broker, "js" | "jsm">;

export interface Comparison {
  readonly messages: number;
  readonly invalid: number;
  /** Messages whose event id has been in the stream before. */
  readonly repeats: number;
  readonly lessons: number;
  readonly sightings: number;
  /** Empty when what came out is what must come out; else one line for each thing that is wrong. */
  readonly differences: readonly string[];
}

interface StreamContent {
  readonly events: readonly ExperienceEvent[];
  /** Sequence → why. */
  readonly invalid: ReadonlyMap<number, string>;
}

export interface StoredMessage {
  readonly seq: number;
  readonly subject: string;
  readonly data: Uint8Array;
  readonly headers: MsgHdrs | undefined;
  readonly header: (name: string) => string;
  readonly storedAt: number;
}

/**
 * Holds everything that came out against the reference of everything that is in the stream. What of fleets and slow
 * failures is `wide` may be there, too.
 */
export async function compareWithReference(
  broker: JetStream,
  { sql }: Pick<TestDatabase, "sql">,
  windowMs: number,
  wide: Expected = { lessonKeys: new Set(), sightingKeys: new Set() },
): Promise<Comparison> {
  const { events, invalid } = await streamContent(broker);
  const expected = reference(events, rules, windowMs);
  const names = namesOf(events);
  const nameOf = (key: string) => {
    const [lesson = "", window] = key.split(" ");
    const at = window === undefined ? "" : ` at ${new Date(Number(window)).toISOString()}`;
    return `${names.get(lesson) ?? lesson}${at}`;
  };
  const lessons = await sql<{ key: string }[]>`SELECT lesson_key AS key FROM agent_lessons`;
  const sightings = await sql<{ key: string }[]>`
    SELECT lesson_key || ' ' || (extract(epoch FROM window_start) * 1000)::bigint AS key
    FROM lesson_sightings`;
  const waiting = await sql<{ key: string }[]>`SELECT lesson_key AS key FROM lesson_outbox`;
  const published = (await storedMessages(broker, "LESSONS")).map(
    ({ data }) => JSON.parse(Buffer.from(data).toString()).lesson_key as string,
  );
  const letters = (await storedMessages(broker, "DEAD_LETTERS")).map(({ header }) =>
    Number(header(deadLetterHeaders.sequence)),
  );
  const keysOf = (rows: readonly { key: string }[]) => rows.map(({ key }) => key);
  return {
    messages: events.length + invalid.size,
    invalid: invalid.size,
    repeats: events.length - new Set(events.map(({ eventId }) => eventId)).size,
    lessons: expected.lessonKeys.size,
    sightings: expected.sightingKeys.size,
    differences: [
      ...compare("lesson", expected.lessonKeys, keysOf(lessons), nameOf, wide.lessonKeys),
      ...compare("sighting", expected.sightingKeys, keysOf(sightings), nameOf, wide.sightingKeys),
      ...compare("publication", expected.lessonKeys, published, nameOf, wide.lessonKeys),
      ...compare("outbox entry", new Set(), keysOf(waiting), nameOf, wide.lessonKeys),
      ...compare(
        "dead letter",
        new Set([...invalid.keys()].map(String)),
        letters.map(String),
        (seq) => `of message ${seq} (${invalid.get(Number(seq)) ?? "a valid event"})`,
      ),
    ],
  };
}

/** As sets, and nothing twice; what is `allowed` may be there or not. */
export function compare(
  what: string,
  expected: ReadonlySet<string>,
  actual: readonly string[],
  nameOf: (key: string) => string,
  allowed: ReadonlySet<string> = new Set(),
): string[] {
  const counts = new Map<string, number>();
  for (const key of actual) counts.set(key, (counts.get(key) ?? 0) + 1);
  const missing = [...expected].filter((key) => !counts.has(key));
  const unexpected = [...counts.keys()].filter((key) => !expected.has(key) && !allowed.has(key));
  const repeated = [...counts].filter(([, count]) => count > 1);
  return [
    ...missing.map((key) => `missing ${what}: ${nameOf(key)}`),
    ...unexpected.map((key) => `unexpected ${what}: ${nameOf(key)}`),
    ...repeated.map(([key, count]) => `${count} times the ${what}: ${nameOf(key)}`),
  ];
}

async function streamContent(broker: JetStream): Promise<StreamContent> {
  const { created } = await broker.jsm.streams.info("EXPERIENCE");
  const events: ExperienceEvent[] = [];
  const invalid = new Map<number, string>();
  for (const message of await storedMessages(broker, "EXPERIENCE")) {
    try {
      events.push(decode(message, created));
    } catch (error) {
      if (!isRefusal(error)) throw error;
      invalid.set(message.seq, error.message);
    }
  }
  return { events, invalid };
}

/** The contract, section 1: where an event takes what it does not say itself. */
function decode(message: StoredMessage, streamCreated: string): ExperienceEvent {
  return decodeEvent(message.data, {
    defaultAgentId: message.subject.slice(message.subject.lastIndexOf(".") + 1),
    defaultEventId: message.header("Nats-Msg-Id") || `${streamCreated}:${message.seq}`,
    storedAt: message.storedAt,
    maxFutureMs,
  });
}

/** Everything in a stream, in order. */
export async function storedMessages(
  { js, jsm }: JetStream,
  stream: string,
): Promise<StoredMessage[]> {
  const { state } = await jsm.streams.info(stream);
  if (state.messages === 0) return [];
  const consumer = await js.consumers.get(stream, { deliver_policy: DeliverPolicy.All });
  const found: StoredMessage[] = [];
  for (let left = state.messages; left > 0; left = state.messages - found.length) {
    const before = found.length;
    const messages = await consumer.fetch({ max_messages: Math.min(left, 5_000), expires: 5_000 });
    for await (const message of messages) {
      found.push({
        seq: message.seq,
        subject: message.subject,
        data: message.data,
        headers: message.headers,
        header: (name) => message.headers?.get(name) ?? "",
        storedAt: storedAtOf(message),
      });
    }
    if (found.length === before) break;
  }
  if (found.length !== state.messages) throw new Error(`could not read all of ${stream}`);
  return found;
}

/**
 * As the service reads it. With @nats-io/jetstream 3.4.0 `time` rounds nanoseconds that a number cannot
 * hold, and is a millisecond late for one message in ten thousand.
 */
function storedAtOf(message: JsMsg): number {
  // The type leaves it out.
  const { reply } = message as JsMsg & { readonly reply: string };
  return Number(reply.split(".").at(-2)?.slice(0, -6));
}

/** Lesson keys are hashes; this is what they are about. */
function namesOf(events: readonly ExperienceEvent[]): Map<string, string> {
  const names = new Map<string, Set<string>>();
  const subjects = new Map<string, string>();
  for (const event of events) {
    for (const rule of rules) {
      const signals = rule.signature(event);
      if (signals === null) continue;
      const key = lessonKey(rule, event, signals);
      subjects.set(
        key,
        `${rule.type} of ${event.tenantId}/${event.agentId}/${event.taskType} ${JSON.stringify(signals)}`,
      );
      const ids = names.get(key) ?? new Set();
      names.set(key, ids.add(`${event.eventId}@${new Date(event.ts).toISOString()}`));
    }
  }
  return new Map(
    [...subjects].map(([key, subject]) => [key, `${subject} from ${[...(names.get(key) ?? [])]}`]),
  );
}
