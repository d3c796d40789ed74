import { randomUUID } from "node:crypto";
import { Match } from "@nats-io/transport-node";
import { BusError, isRefusal } from "../../errors.ts";
import type { Affinity } from "../../runtime/affinity/affinity.ts";
import { skipped } from "../../runtime/consumer.ts";
import { defaultEventIdOf, type StoredMessage } from "../../runtime/delivery.ts";
import { inspectJson } from "../../schema/json.ts";
import {
  type InvalidItem,
  invalidItemsSchema,
  itemPayload,
  manyItems,
  takeEach,
} from "../../schema/many-items.ts";
import { Type } from "../../schema/typebox.ts";
import { experienceSubject } from "../../subjects.ts";
import type { ConcernPart } from "../concern.ts";
import { canPassOver } from "./batch.ts";
import { cloudEventIn, fromCloudEvent } from "./cloud-event.ts";
import type { ExperienceEvent, OkGlance } from "./event.ts";
import type { Report } from "./extraction.ts";
import type { ExtractorMetrics } from "./metrics.ts";
import type { ExperiencePublisher } from "./ports.ts";
import type { Rule } from "./rules/index.ts";
import { withoutSecrets } from "./secrets.ts";
import type { StoredEvents } from "./stored.ts";
import {
  type EventContext,
  eventFrom,
  eventReader,
  experienceEventSchema,
  maxEventBytes,
} from "./wire.ts";

const manyEvents = manyItems(experienceEventSchema, { max: 1_000, noun: "events" });

export interface ExtractorReply {
  /** Events that the stream has now because of this request. */
  readonly stored: number;
  /** Events whose id, of their tenant and agent, the stream has seen within its duplicate window. */
  readonly duplicates: number;
  /** Those whose id was there with other content, as far as the replica that answers knows; left out when 0. */
  readonly conflicts?: number;
  readonly invalid: readonly InvalidItem[];
}

const replySchema = Type.Object({
  stored: Type.Integer(),
  duplicates: Type.Integer({ description: "the stream had their ids, of that tenant and agent" }),
  conflicts: Type.Optional(
    Type.Integer({ description: "the stream had their ids, and with other content" }),
  ),
  invalid: invalidItemsSchema,
});

/**
 * The extractor: consumes `agent.experience.v1.>` into lessons, and is the write path with an answer
 * for agents that want to know that their events are stored.
 */
export function extractor(options: {
  readonly stream: string;
  /** `EXPERIENCE_SUBJECT`. */
  readonly subject: string;
  readonly durable: string;
  readonly decode: SkippingDecoder;
  readonly maxFutureMs: number;
  /** Handles events, here or where their agent belongs, and counts what came of those handled here. */
  readonly handle: Affinity<ExperienceEvent>["handle"];
  readonly publisher: ExperiencePublisher;
  readonly metrics: ExtractorMetrics;
}): ConcernPart {
  const { stream, durable, decode, handle, metrics } = options;
  return {
    endpoints: [
      {
        name: "extractor",
        ...manyEvents,
        reply: replySchema,
        handle: (values) => publishValid(values, options),
      },
    ],
    consumptions: [
      {
        stream,
        durable,
        decode,
        onInvalid: () => metrics.events.inc({ outcome: "invalid" }),
        async handle(events: readonly ExperienceEvent[], context) {
          await handle(events, context);
          metrics.events.inc({ outcome: "sampled_out" }, context.empty);
          metrics.events.inc({ outcome: "evidence" }, context.skipped);
        },
      },
    ],
  };
}

/** Reads a message; null for an OK event that has no effect. Throws a refusal when it is invalid. */
export type MessageDecoder = (message: StoredMessage) => ExperienceEvent | null;
/** The same, but `skipped` for an event all of whose effects are known to be stored. */
export type SkippingDecoder = (message: StoredMessage) => ExperienceEvent | null | typeof skipped;

/** For other readers of the stream: the extractor makes a dead letter of what is invalid, so here it is null. */
export function leniently(decode: MessageDecoder): MessageDecoder {
  return (message) => {
    try {
      return decode(message);
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return null;
    }
  };
}

interface Decoding {
  /** Selects the messages, with wildcards. */
  readonly subject: string;
  readonly maxFutureMs: number;
  readonly rules: readonly Rule[];
  readonly okSamplePercent: number;
  readonly onUnsetTime?: () => void;
}

export function messageDecoder(options: Decoding): MessageDecoder {
  const decode = skippingDecoder(options);
  return (message) => {
    const event = decode(message);
    return event === skipped ? null : event;
  };
}

/** `stored` says which events are skipped; absent: none. */
export function skippingDecoder(options: Decoding, stored?: StoredEvents): SkippingDecoder {
  const { subject, maxFutureMs, rules, okSamplePercent } = options;
  const passOver = (glance: OkGlance) => canPassOver(glance, rules, okSamplePercent);
  const bringsOnlyV1 = subject.startsWith("agent.experience.v1.");
  const reader = eventReader();
  // What is dropped unread is what a look is for.
  const isWorthALook = stored !== undefined || okSamplePercent < 100;
  // One context for all messages, each read at once: what it says is rarely asked for.
  let message: StoredMessage;
  let hasOwnId = true;
  let isLook = false;
  let isUnset = false;
  const context = {
    maxFutureMs,
    storedAt: 0,
    onUnsetTime() {
      isUnset = true;
      if (!isLook) options.onUnsetTime?.();
    },
    get defaultAgentId() {
      return message.subject.slice(message.subject.lastIndexOf(".") + 1);
    },
    get defaultEventId() {
      hasOwnId = false;
      return defaultEventIdOf(message);
    },
  };

  /** Undefined: it has to be read. */
  function look(payload: Uint8Array): null | typeof skipped | undefined {
    isLook = true;
    isUnset = false;
    const event = reader.glance(payload, context);
    isLook = false;
    if (event === null || isUnset) return undefined;
    if (event.ok && passOver(event)) return null;
    return stored?.isLikeStored(event) ? skipped : undefined;
  }

  function readUnless(payload: Uint8Array): ExperienceEvent | null {
    const event = reader.read(payload, context);
    return event.ok && passOver(event) ? null : event;
  }

  function asCloudEvent(): ExperienceEvent | null {
    const { headers } = message;
    const event = cloudEventIn(message.data, (name) => headers?.get(name, Match.IgnoreCase) ?? "");
    return event === null ? null : readUnless(Buffer.from(JSON.stringify(event)));
  }

  function settled(event: ExperienceEvent): ExperienceEvent | typeof skipped {
    const clean = withoutSecrets(event);
    if (!stored?.isStored(clean)) return clean;
    if (clean === event) stored.remember(clean);
    return skipped;
  }

  return (next) => {
    message = next;
    hasOwnId = true;
    context.storedAt = next.storedAt;
    if (!bringsOnlyV1) checkVersion(message.subject);
    const payload = next.data;
    try {
      const seen = isWorthALook ? look(payload) : undefined;
      if (seen !== undefined) return seen;
      const event = readUnless(payload);
      if (event === null) return null;
      // A binary CloudEvent reads like an event without an id.
      return settled(hasOwnId ? event : (asCloudEvent() ?? event));
    } catch (error) {
      // A structured one reads like an event without a result.
      const event = isRefusal(error) && holds(message.data, "specversion") ? asCloudEvent() : null;
      if (event === null) throw error;
      return settled(event);
    }
  };
}

const holds = (payload: Uint8Array, text: string) =>
  Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).includes(text);

/** The subject's version token is the schema version, and this code reads version 1. */
function checkVersion(subject: string): void {
  const version = /^agent\.experience\.(v\d+)\./.exec(subject)?.[1];
  if (version !== undefined && version !== "v1") {
    throw new BusError("bad_request", `schema version ${version} is not supported, only v1`);
  }
}

async function publishValid(
  values: readonly unknown[],
  {
    subject,
    publisher,
    maxFutureMs,
  }: { subject: string; publisher: ExperiencePublisher; maxFutureMs: number },
): Promise<ExtractorReply> {
  const publish = async (given: unknown) => {
    inspectJson(given);
    const value = fromCloudEvent(given) ?? given;
    const payload = itemPayload(value, maxEventBytes);
    const event = eventFrom(value, newcomer(maxFutureMs));
    const to = experienceSubject(subject, event.agentId);
    return await publisher.publish(to, payload, event, values);
  };
  // What is refused is so by us, or by the stream: it may have a limit of its own.
  const { taken, invalid } = await takeEach(values, publish);
  const countOf = (wanted: string) => taken.filter((result) => result === wanted).length;
  const conflicts = countOf("conflict");
  const known = { duplicates: countOf("duplicate"), ...(conflicts > 0 && { conflicts }) };
  return { stored: countOf("stored"), ...known, invalid };
}

/** An event that comes by request has no subject and no header; without an id it gets a new one. */
function newcomer(maxFutureMs: number): EventContext {
  const defaultEventId = randomUUID();
  return { defaultAgentId: "unknown", defaultEventId, storedAt: Date.now(), maxFutureMs };
}

/** What became of events that were handled here. */
export function countReport(report: Report, metrics: ExtractorMetrics): void {
  const outcomes = new Map<string, number>();
  for (const outcome of report.outcomes) outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
  for (const [outcome, events] of outcomes) metrics.events.inc({ outcome }, events);
  for (const effects of report.effects) {
    for (const { type } of effects.extracted) metrics.lessonsExtracted.inc({ lesson_type: type });
    for (const { type, delayMs } of effects.inserted) {
      metrics.lessonsInserted.inc({ lesson_type: type });
      metrics.lessonDelay.observe(Math.max(0, delayMs) / 1_000);
    }
    metrics.lessonsDuplicate.inc(effects.duplicates);
    metrics.lessonsPublished.inc(effects.published);
    metrics.sightings.inc(effects.sightings);
  }
}
