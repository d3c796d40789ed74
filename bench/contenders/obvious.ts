import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import postgres from "postgres";

/**
 * The obvious pipeline, for comparison: per event a KV `create` of its id, a count, an insert once
 * the count reaches three, and an ack for each message. It loses or doubles lessons when it crashes.
 */
const {
  NATS_URL: servers = "",
  LEARNER_DATABASE_URL: url = "",
  STREAM: stream = "",
  DURABLE: durable = "",
} = process.env;

const nc = await connect({ servers });
const jsm = await jetstreamManager(nc);
await jsm.consumers.add(stream, {
  durable_name: durable,
  ack_policy: AckPolicy.Explicit,
  max_ack_pending: 20_000,
});
const js = jetstream(nc);
const kv = await new Kvm(js).create(`${durable}-seen`, { ttl: 3_600_000 });
const sql = postgres(url, { max: 4, onnotice: () => undefined });
await sql`CREATE TABLE IF NOT EXISTS obvious_lessons (signature text PRIMARY KEY)`;
const counts = new Map<string, number>();

async function handle(message: JsMsg): Promise<void> {
  const event = message.json<{
    event_id: string;
    agent_id: string;
    result: { ok: boolean; error_class?: string };
  }>();
  await kv.create(event.event_id, "1");
  if (!event.result.ok) {
    const signature = `${event.agent_id} ${event.result.error_class}`;
    const count = (counts.get(signature) ?? 0) + 1;
    counts.set(signature, count);
    if (count === 3) {
      await sql`INSERT INTO obvious_lessons VALUES (${signature}) ON CONFLICT DO NOTHING`;
    }
  }
  message.ack();
}

process.once("SIGTERM", () => process.exit(0));
const consumer = await js.consumers.get(stream, durable);
async function lane(): Promise<never> {
  for (;;) {
    const work = [];
    for await (const message of await consumer.fetch({ max_messages: 256, expires: 2_000 })) {
      work.push(handle(message));
    }
    await Promise.all(work);
  }
}
await Promise.all([lane(), lane()]);
