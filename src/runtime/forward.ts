import type { NatsConnection } from "@nats-io/transport-node";
import { BusError } from "../errors.ts";
import type { Logger } from "../log.ts";
import { translateNats } from "../nats/errors.ts";
import { isUnanswered } from "../nats/unanswered.ts";
import { type Answer, answerTo, type Call } from "./endpoint.ts";

/** Longer than an endpoint takes to say that it was too slow. */
const patienceMs = 11_000;

/** Asks an endpoint that another replica hosts. Never rejects: errors are answers. */
export type Forward = (subject: string, call: Call) => Promise<Answer>;

export function forwardBy(nc: NatsConnection, log: Logger): Forward {
  return async (subject, { payload, headers }) => {
    try {
      const timeout = { timeout: patienceMs, ...(headers && { headers }) };
      const reply = await nc.request(subject, payload, timeout);
      const code = reply.headers?.get("Nats-Service-Error-Code") || "200";
      const message = reply.headers?.get("Nats-Service-Error") ?? "";
      return { status: Number(code), body: reply.data, message };
    } catch (error) {
      if (!isUnanswered(error)) return answerTo(translateNats(error), subject, log);
      const message = `no replica answers on ${subject}: see EXPERIENCE_CONCERNS`;
      const { status, code } = new BusError("unavailable", message);
      return { status, message, body: Buffer.from(JSON.stringify({ code, message })) };
    }
  };
}
