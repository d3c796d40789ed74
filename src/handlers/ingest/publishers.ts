import { hash } from "node:crypto";
import { BusError, isRefusal } from "../../errors.ts";
import { nats } from "../../nats/errors.ts";
import type { Publications } from "../../nats/publications.ts";
import { isUnanswered } from "../../nats/unanswered.ts";
import { experienceSubject, runs } from "../../subjects.ts";
import type { ExperiencePublisher } from "../extractor/ports.ts";
import { type EventContext, eventFrom } from "../extractor/wire.ts";
import { runEventFrom } from "../runs/event-wire.ts";
import type { Mapped, MappedEvent, MappedRunEvent } from "./mapped.ts";

export interface Stored {
  readonly stored: number;
  readonly duplicates: number;
  /** Events that the schema or the stream refuses, with the reason of the first. */
  readonly refused: number;
  readonly reason: string | undefined;
}

export interface IngestPublisher {
  /**
   * Resolves once JetStream has stored all events, and what they tell of runs. `tenant`: of the sender, where it is
   * known; it overrides what a record says. Rejects with `unavailable` or `timeout` while NATS is away: what was
   * stored by then is stored once when it all comes again.
   */
  store(mapped: readonly Mapped[], tenant: string | undefined, cause: object): Promise<Stored>;
}

/** Publications of one request that are under way at once. */
const inFlight = 1_024;

export function ingestPublisher(options: {
  readonly publications: Publications;
  /** `EXPERIENCE_SUBJECT`. */
  readonly subject: string;
  readonly events: ExperiencePublisher;
  readonly maxFutureMs: number;
}): IngestPublisher {
  const { publications, subject, events, maxFutureMs } = options;

  async function publishEvent(value: MappedEvent, context: EventContext, cause: object) {
    const event = eventFrom(value, context);
    const payload = Buffer.from(JSON.stringify(value));
    return await events.publish(experienceSubject(subject, event.agentId), payload, event, cause);
  }

  async function publishRunEvent(value: MappedRunEvent, context: EventContext): Promise<void> {
    const { tenantId, runId, eventId } = runEventFrom(value, context);
    const identity = JSON.stringify(["run", tenantId, runId, eventId]);
    const messageId = hash("sha256", identity, "hex");
    const payload = Buffer.from(JSON.stringify(value));
    const to = experienceSubject(runs.subject, runId);
    await nats(() => publications.publish({ subject: to, payload, messageId }));
  }

  /** In their order, for a connection keeps it. Where no stream takes the first one, nobody follows runs. */
  async function publishRunEvents(
    [first, ...rest]: readonly MappedRunEvent[],
    context: EventContext,
  ): Promise<void> {
    if (first === undefined) return;
    try {
      await inTurns([first], (value) => publishRunEvent(value, context));
      await inTurns(rest, (value) => publishRunEvent(value, context));
    } catch (error) {
      if (!isUnanswered(error)) throw error;
    }
  }

  return {
    async store(mapped, tenant, cause) {
      const own = <T extends object>(value: T): T =>
        tenant === undefined ? value : { ...value, tenant_id: tenant };
      const context = {
        defaultAgentId: "unknown",
        defaultEventId: "unknown",
        storedAt: Date.now(),
        maxFutureMs,
      };
      const [outcomes] = await Promise.all([
        inTurns(
          mapped.flatMap(({ event }) => (event ? [own(event)] : [])),
          (event) => publishEvent(event, context, cause),
        ),
        publishRunEvents(
          mapped.flatMap(({ run = [] }) => run.map(own)),
          context,
        ),
      ]);
      const refusals = outcomes.filter((one) => one instanceof BusError);
      return {
        stored: outcomes.filter((one) => one === "stored").length,
        duplicates: outcomes.filter((one) => one === "duplicate" || one === "conflict").length,
        refused: refusals.length,
        reason: refusals[0]?.message,
      };
    },
  };
}

/** What is refused is a result; an outage rejects. */
async function inTurns<T, R>(
  items: readonly T[],
  work: (item: T) => Promise<R>,
): Promise<(R | BusError)[]> {
  const results: (R | BusError)[] = [];
  for (let at = 0; at < items.length; at += inFlight) {
    const turn = items.slice(at, at + inFlight).map((item) =>
      work(item).catch((error: unknown) => {
        if (isRefusal(error)) return error;
        throw error;
      }),
    );
    results.push(...(await Promise.all(turn)));
  }
  return results;
}
