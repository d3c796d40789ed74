import { randomUUID } from "node:crypto";
import { headers, type NatsConnection } from "@nats-io/transport-node";
import { expect } from "vitest";
import type { Broker } from "./broker.ts";

export type WireEvent = Record<string, unknown>;

/** A failure of `search` by one agent; `fields` go on top. */
export function failure(fields: WireEvent = {}): WireEvent {
  return {
    event_id: randomUUID(),
    agent_id: "scout",
    task_type: "triage",
    result: { ok: false, error_class: "timeout" },
    tool: { name: "search" },
    ...fields,
  };
}

export function success(fields: WireEvent = {}): WireEvent {
  return failure({ result: { ok: true }, ...fields });
}

/** Events of one signature, so many that they make a lesson unless told otherwise. */
export function failures(count = 3, fields: WireEvent = {}): WireEvent[] {
  return Array.from({ length: count }, () => failure(fields));
}

/** As an agent publishes them: one message each, its agent the subject's last token. */
export async function publish(
  { js }: Pick<Broker, "js">,
  ...events: readonly WireEvent[]
): Promise<number[]> {
  const acks = events.map((event) =>
    js.publish(`agent.experience.v1.${event["agent_id"] ?? "scout"}`, JSON.stringify(event)),
  );
  return (await Promise.all(acks)).map(({ seq }) => seq);
}

export interface Answer {
  // biome-ignore lint/suspicious/noExplicitAny: each endpoint has its own reply
  readonly body: any;
  /** The micro protocol's error headers; empty without an error. */
  readonly error: string;
  readonly errorCode: string;
}

/** One request to an endpoint. A string or bytes go as they are, everything else as JSON. */
export async function ask(
  nc: NatsConnection,
  subject: string,
  request: unknown = "",
): Promise<Answer> {
  const raw = typeof request === "string" || request instanceof Uint8Array;
  const payload = raw ? request : JSON.stringify(request);
  const reply = await nc.request(subject, payload, { timeout: 12_000, headers: headers() });
  return {
    body: reply.json(),
    error: reply.headers?.get("Nats-Service-Error") ?? "",
    errorCode: reply.headers?.get("Nats-Service-Error-Code") ?? "",
  };
}

/** What the endpoint answers where it does not refuse. */
export async function bodyOf(answer: Promise<Answer>): Promise<Answer["body"]> {
  const { body, errorCode, error } = await answer;
  expect([errorCode, error]).toEqual(["", ""]);
  return body;
}
