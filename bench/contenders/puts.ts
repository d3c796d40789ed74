import { jetstream } from "@nats-io/jetstream";
import { Kvm } from "@nats-io/kv";
import { connect } from "@nats-io/transport-node";

/**
 * What a bucket takes at the most on this machine: each put of a key of its own, many under way at once, and nothing else to
 * do. Says how many puts a second.
 */
const { NATS_URL: servers = "", PUTS: asked = "100000" } = process.env;
const puts = Number(asked);
const underWay = 1_024;
/** Of a document with one event. */
const value = "v".repeat(300);

const nc = await connect({ servers, noAsyncTraces: true });
const bucket = await new Kvm(jetstream(nc)).create(`bench-puts-${process.pid}`, { ttl: 3_600_000 });
let next = 0;
const startedAt = performance.now();
await Promise.all(
  Array.from({ length: underWay }, async () => {
    while (next < puts) await bucket.put(`key.${next++}`, value);
  }),
);
console.log((puts / (performance.now() - startedAt)) * 1_000);
await bucket.destroy();
await nc.close();
