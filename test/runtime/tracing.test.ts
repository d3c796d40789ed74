import { headers } from "@nats-io/transport-node";
import { expect, test } from "vitest";
import { BusError } from "../../src/errors.ts";
import { traceConsumer } from "../../src/runtime/traced.ts";
import { startTracing } from "../../src/runtime/tracing.ts";
import { failed, openCollector } from "../rig/collector.ts";
import { eventually } from "../rig/eventually.ts";
import { recordingLog } from "../rig/service.ts";
import { openToy, type ToyOptions } from "./toy.ts";

const traceId = "0af7651916cd43dd8448eb211c80319c";

async function openTracedToy() {
  const [toy, collector] = await Promise.all([openToy(), openCollector()]);
  const settings = { exporters: ["otlp"], protocol: "http/json", serviceName: "toy" } as const;
  const url = `${collector.url}/v1/traces`;
  const tracing = await startTracing({ ...settings, url }, recordingLog().log);
  return {
    toy,
    start(options: ToyOptions) {
      const traces = traceConsumer(tracing, { durable: "player", subject: "toy.>" });
      return toy.start({ ...options, tracing: traces });
    },
    async publish(text: string) {
      const traced = headers();
      traced.set("traceparent", `00-${traceId}-b7ad6b7169203331-01`);
      await toy.broker.js.publish("toy.box", text, { headers: traced });
    },
    /** What became of the message, in order, with the reason of a failure. */
    async outcomes() {
      await tracing.stop();
      return collector.spans
        .filter((span) => span.traceId === traceId)
        .map(({ attributes, status }) => [
          attributes["experience_bus.outcome"],
          status.code === failed ? status.message : "",
        ]);
    },
  };
}

test("each attempt of a refused message has a failed span, and so has its dead letter", async () => {
  const { toy, start, publish, outcomes } = await openTracedToy();
  start({
    maxDeliver: 2,
    handle: () => Promise.reject(new BusError("bad_request", "refused")),
  });
  await publish("no");
  await eventually(async () => (await toy.isDone()) && (await toy.deadLetters()).length === 1);
  expect(await outcomes()).toEqual([
    ["nak", "bad_request"],
    ["dead_letter", "bad_request"],
  ]);
});

test("a message handed back in an outage has a span that is no failure", async () => {
  const { toy, start, publish, outcomes } = await openTracedToy();
  const consumer = start({ handle: () => Promise.reject(new BusError("unavailable", "away")) });
  await publish("later");
  await eventually(() => consumer.state().status === "paused");
  await consumer.stop(0);
  expect((await toy.figures()).acked).toBe(0);
  expect(await outcomes()).toEqual([["nak", ""]]);
});
