import type { Broker } from "../rig/broker.ts";
import { eventually } from "../rig/eventually.ts";

/** JetStream's shortest: what comes later is stored again. */
export const duplicateWindowMs = 100;

export interface Publication {
  readonly subject: string;
  readonly payload: Uint8Array;
  readonly messageId?: string;
}

/**
 * Resolves when JetStream has each of them, however long it is away, to how many it took for
 * duplicates. With `anew` these are published until it has forgotten their ids and stores them again.
 */
export async function publishAll(
  { js }: Pick<Broker, "js">,
  publications: readonly Publication[],
  { anew = false } = {},
): Promise<number> {
  let duplicates = 0;
  const publish = async ({ subject, payload, messageId }: Publication) => {
    const options = { timeout: 1_000, ...(messageId && { msgID: messageId }) };
    await eventually(async () => {
      const ack = await js.publish(subject, payload, options).catch(() => null);
      if (ack?.duplicate && !anew) duplicates += 1;
      return ack !== null && !(ack.duplicate && anew);
    }, 60_000);
  };
  for (let start = 0; start < publications.length; start += 16) {
    await Promise.all(publications.slice(start, start + 16).map(publish));
  }
  return duplicates;
}

const failed = { result: { ok: false, error_class: "timeout" } };

/** Failures of one signature, just now; by default just enough for a lesson. */
export function failuresOf(agentId: string, count = 3): Publication[] {
  return Array.from({ length: count }, (_, i) => ({
    subject: `agent.experience.v1.${agentId}`,
    payload: Buffer.from(
      JSON.stringify({ event_id: `${agentId}-${i}`, ...failed, tool: { name: "search" } }),
    ),
  }));
}

/** One of every kind that cannot be an event. */
export const invalidPayloads: Readonly<Record<string, Uint8Array>> = {
  empty: Buffer.alloc(0),
  "not JSON": Buffer.from("{"),
  "not UTF-8": Buffer.from([0x7b, 0x22, 0xff, 0x22, 0x3a, 0x31, 0x7d]),
  "an array": Buffer.from("[]"),
  "no result": Buffer.from('{"agent_id":"agent-1"}'),
  "a wrong type": Buffer.from('{"result":{"ok":"no"}}'),
  "no time": Buffer.from(JSON.stringify({ ...failed, ts: "yesterday" })),
  "a negative amount": Buffer.from(JSON.stringify({ ...failed, llm: { latency_ms: -1 } })),
  "a long id": Buffer.from(JSON.stringify({ ...failed, event_id: "x".repeat(129) })),
  "a prototype": Buffer.from('{"__proto__":{},"result":{"ok":false}}'),
  "a NUL": Buffer.from('{"agent_id":"a\\u0000b","result":{"ok":false}}'),
  "half a surrogate pair": Buffer.from('{"agent_id":"\\ud800","result":{"ok":false}}'),
  "deep nesting": Buffer.from(`{"result":{"ok":false},"x":${"[".repeat(17)}${"]".repeat(17)}}`),
  "too many bytes": Buffer.from(JSON.stringify({ ...failed, x: "x".repeat(256 * 1024) })),
};
