import { eventually } from "../rig/eventually.ts";
import { figures, get } from "../rig/service.ts";
import { type Stack, untilAllAsk } from "./stack.ts";
import type { ProxiedReplica } from "./supervisor.ts";

/** How many events these replicas have handed on, and handed back to the stream. */
export async function handedBy(replicas: readonly ProxiedReplica[]) {
  const all = await Promise.all(replicas.map(figuresOf));
  const sum = (outcome: string) =>
    all.reduce(
      (total, one) => total + (one[`affinity_events_total{outcome="${outcome}"}`] ?? 0),
      0,
    );
  return { handedOn: sum("handed_on"), handedBack: sum("handed_back") };
}

/** Until each replica knows all others and asks for messages: from then on each has some to hand on. */
export async function untilAllShare(stack: Stack): Promise<void> {
  const { replicas } = stack.supervisor;
  const known = async (replica: ProxiedReplica) =>
    (await figuresOf(replica))["affinity_members"] ?? 0;
  const limitMs = 45_000;
  await eventually(
    async () => (await Promise.all(replicas.map(known))).every((some) => some >= replicas.length),
    limitMs,
  );
  await untilAllAsk(stack, limitMs);
}

/** Every sample of `/metrics` of a replica that serves. */
async function figuresOf(replica: ProxiedReplica): Promise<Record<string, number>> {
  const { httpPort } = await replica.ready();
  return await figures({ http: (path) => get(httpPort, path) });
}
