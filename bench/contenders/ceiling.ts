import { AckPolicy, type JsMsg, jetstream, jetstreamManager } from "@nats-io/jetstream";
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
let taken: JsMsg[] = [];
function ackAll(): void {
  const done = taken;
  taken = [];
  for (const message of done) message.ack();
}
await consumer.consume({
  max_messages: 2 * batch,
  callback(message) {
    // The first of a batch also arranges for a batch that is never filled.
    if (taken.push(message) === 1) setImmediate(ackAll);
    else if (taken.length === batch) ackAll();
  },
});
