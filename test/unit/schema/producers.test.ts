import { describe, expect, test } from "vitest";
import { linesOf } from "../../../src/cli/lines.ts";
import { readEvent } from "../../../src/cli/publishing.ts";
import { decodeEvent, experienceEventSchema } from "../../../src/handlers/extractor/wire.ts";
import { decodeUserEvent, userEventSchema } from "../../../src/handlers/features/wire.ts";
import { saveSchema } from "../../../src/handlers/memory/wire.ts";
import { createSchema } from "../../../src/handlers/review/wire.ts";
import { decodeRunEvent, runEventSchema } from "../../../src/handlers/runs/event-wire.ts";
import { listRunsSchema } from "../../../src/handlers/runs/wire.ts";
import { decoderOf, strictDecoderOf, timeFrom } from "../../../src/schema/request.ts";
import { bytes, context, storedAt } from "../extractor/context.ts";
import { payloadOf, prettyProducers, producers } from "../fixtures/producers.ts";

const ts = storedAt - 61_250;

const failure = {
  ...{ event_id: "17", ts, agent_id: "4", run_id: "9007199254740991", task_type: "pay" },
  result: { ok: false, error_class: "timeout", http_status: 504 },
  llm: { model: "gpt-4o", latency_ms: 1_250, tokens_in: 17 },
  tool: { name: "search", latency_ms: 80 },
};
const signal = { event_id: "17", user_id: "4", ts, type: "tip", payload: { rating: 5, x: null } };
const step = {
  run_id: "17",
  agent_id: "4",
  cursor: 3,
  ts,
  type: "step",
  data: { n: null, a_b: 1 },
};

describe.each([...producers, ...prettyProducers])("what $name writes is understood", (producer) => {
  test("as an experience event", () => {
    const event = decodeEvent(payloadOf(producer, failure, experienceEventSchema), context);
    expect(event).toEqual(decodeEvent(bytes(failure), context));
    expect(event).toMatchObject({ eventId: "17", ts, runId: "9007199254740991", agentId: "4" });
    expect(event).toMatchObject({ httpStatus: 504, latencyMs: 1_250, toolLatencyMs: 80 });
  });

  test("as one with nothing but what it must have", () => {
    const least = { result: { ok: false } };
    const event = decodeEvent(payloadOf(producer, least, experienceEventSchema), context);
    expect(event).toEqual(decodeEvent(bytes(least), context));
  });

  test.each(["signals.tip.feedback", "feedback.tip"])("as a user's event, %s", (subject) => {
    const payload = payloadOf(producer, signal, userEventSchema);
    const event = decodeUserEvent(payload, subject, context);
    expect(event).toEqual(decodeUserEvent(bytes(signal), subject, context));
    expect(event).toMatchObject({ eventId: "17", userId: "4", ts, payload: signal.payload });
    const { ts: _, ...rest } = signal;
    const named = { ...rest, occurred_at: ts };
    const other = payloadOf(producer, named, userEventSchema, ["occurred_at"]);
    expect(decodeUserEvent(other, subject, context)).toEqual(event);
  });

  test("as an event of a run", () => {
    const event = decodeRunEvent(payloadOf(producer, step, runEventSchema), context);
    expect(event).toEqual(decodeRunEvent(bytes(step), context));
    expect(event).toMatchObject({ runId: "17", agentId: "4", cursor: 3, ts, data: step.data });
  });

  test("as a request", () => {
    const list = { agent_id: "4", since: ts, limit: 7 };
    const asked = decoderOf(listRunsSchema)(payloadOf(producer, list, listRunsSchema, ["since"]));
    expect({ ...asked, since: timeFrom("since", asked.since) }).toEqual(list);
    const save = { scope: "world", entry_id: "17", insight: "wait", confidence: 1, tags: ["a"] };
    const saved = strictDecoderOf(saveSchema)(payloadOf(producer, save, saveSchema));
    expect(saved).toEqual(save);
    const create = { feedback_id: "17", run_id: "4" };
    expect(strictDecoderOf(createSchema)(payloadOf(producer, create, createSchema))).toEqual(
      create,
    );
  });
});

test.each(producers)("a line of $name is published as that event", async (producer) => {
  const file = payloadOf(producer, failure, experienceEventSchema);
  const read: unknown[] = [];
  for await (const line of linesOf(chunks(file), 1_000)) {
    read.push(readEvent(line, "agent.experience.v1.>"));
  }
  expect(read).toMatchObject([{ subject: "agent.experience.v1.4", eventId: "17" }]);
});

async function* chunks(bytes: Uint8Array) {
  yield bytes;
}
