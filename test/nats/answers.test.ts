import { connect } from "@nats-io/transport-node";
import { expect, onTestFinished, test } from "vitest";
import { handOverWithoutTraces } from "../../src/nats/answers.ts";
import { isUnanswered } from "../../src/nats/unanswered.ts";
import { startBroker } from "../rig/broker.ts";

const frames = (error: unknown) => String((error as Error).stack).split("\n    at ").length - 1;

test("answers are handed over without a stack trace, and what goes on from there has its own", async () => {
  const broker = await startBroker();
  onTestFinished(() => broker.remove());
  const nc = await connect({ servers: broker.url, noAsyncTraces: true });
  onTestFinished(() => nc.close());
  const limit = Error.stackTraceLimit;
  handOverWithoutTraces(nc);
  nc.subscribe("echo", { callback: (_, message) => void message.respond(message.data) });

  // The client's error is made while the answer is handed over: with a trace, this knows a newer client no more.
  const refused = await nc.request("nobody").catch((error: unknown) => error);
  expect([isUnanswered(refused), frames(refused)]).toEqual([true, 0]);

  expect((await nc.request("echo", "hello")).string()).toBe("hello");
  expect(Error.stackTraceLimit).toBe(limit);
  expect(frames(new Error("of ours"))).toBeGreaterThan(0);
});
