import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";
import postgres from "postgres";

/**
 * The obvious pipeline without state of its own, for comparison: per event a KV `create` of its id, an
 * insert, for a failure a count, and an ack, with 512 of them under way at once.
 * It loses lessons when it crashes between the create and the insert.
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
const sql = postgres(url, { max: 8, onnotice: () => undefined });
await sql`CREATE TABLE IF NOT EXISTS obvious_events (signature text, event_id text)`;
await sql`CREATE INDEX IF NOT EXISTS obvious_by_signature ON obvious_events (signature)`;
await sql`CREATE TABLE IF NOT EXISTS obvious_lessons (signature text PRIMARY KEY)`;
await sql`TRUNCATE obvious_events, obvious_lessons`;

async function handle(message: JsMsg): Promise<void> {
  const event = message.json<{
    event_id: string;
    agent_id: string;
    result: { ok: boolean; error_class?: string };
  }>();
  await kv.create(event.event_id, "1");
  const signature = `${event.agent_id} ${event.result.error_class ?? "ok"}`;
  await sql`INSERT INTO obvious_events VALUES (${signature}, ${event.event_id})`;
  if (!event.result.ok) {
    await sql`
      INSERT INTO obvious_lessons
      SELECT ${signature} WHERE 3 <= (
        SELECT count(*) FROM (
          SELECT FROM obvious_events WHERE signature = ${signature} LIMIT 3
        ) AS seen
      ) ON CONFLICT DO NOTHING`;
  }
  message.ack();
}

process.once("SIGTERM", () => process.exit(0));
const consumer = await js.consumers.get(stream, durable);
await consumer.consume({
  max_messages: 512,
  callback: (message) => void handle(message),
});
