import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

/**
 * The ceiling: pull, no work, all acks of a batch written together. What the client and the broker
 * can do at the most with acknowledged messages on this machine.
 */
const { NATS_URL: servers = "", STREAM: stream = "", DURABLE: durable = "" } = process.env;
const batch = 256;

const nc = await connect({ servers });
const jsm = await jetstreamManager(nc);
await jsm.consumers.add(stream, {
  durable_name: durable,
  ack_policy: AckPolicy.Explicit,
  max_ack_pending: 20_000,
});
const consumer = await jetstream(nc).consumers.get(stream, durable);

process.once("SIGTERM", () => process.exit(0));
async function lane(): Promise<never> {
  for (;;) {
    const taken = [];
    for await (const message of await consumer.fetch({ max_messages: batch, expires: 2_000 })) {
      taken.push(message);
    }
    for (const message of taken) message.ack();
  }
}
await Promise.all([lane(), lane()]);
