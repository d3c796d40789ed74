import { AckPolicy, jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

const {
  NATS_URL: servers = "",
  STREAM: stream = "",
  DURABLE: durable = "",
  V: v = "",
} = process.env;
const nc = await connect({ servers });
const jsm = await jetstreamManager(nc);
await jsm.consumers.add(stream, {
  durable_name: durable,
  ack_policy: AckPolicy.Explicit,
  max_ack_pending: 20_000,
});
const consumer = await jetstream(nc).consumers.get(stream, durable);
process.once("SIGTERM", () => process.exit(0));
if (v === "fetch") {
  async function lane() {
    for (;;) {
      const t = [];
      for await (const m of await consumer.fetch({ max_messages: 256, expires: 2000 })) t.push(m);
      for (const m of t) m.ack();
    }
  }
  await Promise.all([lane(), lane()]);
} else if (v.startsWith("consume")) {
  let t: any[] = [];
  let timer: any;
  const flush = () => {
    timer = undefined;
    const x = t;
    t = [];
    for (const m of x) m.ack();
  };
  await consumer.consume({
    max_messages: Number(v.slice(7)),
    expires: 5000,
    callback: (m) => {
      t.push(m);
      if (t.length >= 256) flush();
      else if (!timer) timer = setTimeout(flush, 5);
    },
  });
  await new Promise(() => {});
} else {
  const inbox = "_INBOX.x" + Math.random().toString(36).slice(2);
  let t: string[] = [];
  let out = 0;
  const pull = () => {
    nc.publish(
      `$JS.API.CONSUMER.MSG.NEXT.${stream}.${durable}`,
      JSON.stringify({ batch: 512, expires: 5e9 }),
      { reply: inbox },
    );
    out += 512;
  };
  const ACK = new TextEncoder().encode("+ACK");
  let timer: any;
  const flush = () => {
    timer = undefined;
    const x = t;
    t = [];
    for (const r of x) nc.publish(r, ACK);
  };
  nc.subscribe(inbox, {
    callback: (_e, m) => {
      if (!m.reply) {
        out = 0;
        pull();
        pull();
        return;
      }
      t.push(m.reply);
      out--;
      if (out <= 512) pull();
      if (t.length >= 256) flush();
      else if (!timer) timer = setTimeout(flush, 5);
    },
  });
  pull();
  pull();
  await new Promise(() => {});
}
