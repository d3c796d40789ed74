import { readFileSync } from "node:fs";
import { type Consumer, jetstream } from "@nats-io/jetstream";
import type { NatsConnection } from "@nats-io/transport-node";

const readme = new URL("../../deploy/nats/README.md", import.meta.url);

/** Makes the durable of readers as the README says, by that connection. */
export async function makeLessonReader(nc: NatsConnection): Promise<void> {
  const text = readFileSync(readme, "utf8");
  const [, subject = "", request] =
    /req '(\$JS\.API\.CONSUMER\.CREATE\S+)' \\\n\s*'(.*?)'/s.exec(text) ?? [];
  const reply = await nc.request(subject, request);
  const { error } = reply.json<{ error?: { description: string } }>();
  if (error) throw new Error(error.description);
}

/** The same as a reader finds it: in a JetStream that is another account's. */
export function lessonReader(reader: NatsConnection): Promise<Consumer> {
  return jetstream(reader, { domain: "BUS" }).consumers.get("LESSONS", "lesson-reader");
}
