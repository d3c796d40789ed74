import { Type } from "typebox";
import { expect, onTestFinished, test } from "vitest";
import { BusError } from "../../src/errors.ts";
import {
  type Endpoint,
  type RunningEndpoints,
  startEndpoints,
} from "../../src/runtime/endpoint.ts";
import { type Broker, startBroker } from "../rig/broker.ts";
import { eventually } from "../rig/eventually.ts";
import { publishRaw } from "../rig/raw-nats.ts";
import { type LogLine, recordingLog } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";
import { gate } from "./toy.ts";

interface Mounted {
  readonly broker: Broker;
  readonly running: RunningEndpoints;
  readonly log: readonly LogLine[];
  readonly stoppedBy: readonly unknown[];
}

/** One endpoint on subject `echo` that answers a text with what `handle` makes of it. */
async function mount(
  handle: (text: string) => Promise<unknown>,
  decode: (text: string) => string = (text) => text,
): Promise<Mounted> {
  const broker = await startBroker();
  const { log, lines } = recordingLog();
  const stoppedBy: unknown[] = [];
  const running = await startEndpoints({
    nc: broker.nc,
    version: "1.2.3",
    log,
    onStopped: (error) => stoppedBy.push(error),
  });
  const echo: Endpoint<string, unknown> = {
    name: "echo",
    subject: "echo",
    description: "says it again",
    request: Type.String(),
    reply: Type.String(),
    decode: (payload) => decode(Buffer.from(payload).toString()),
    handle,
  };
  running.mount(echo);
  await broker.nc.flush();
  onTestFinished(() => broker.remove());
  return { broker, running, log: lines, stoppedBy };
}

const echoFigures = async ({ broker: { nc } }: Mounted) =>
  (await ask(nc, "$SRV.STATS.experience-bus")).body.endpoints[0];

test("a reply is JSON and bears no error", async () => {
  const { broker } = await mount(async (text) => ({ text }));
  expect(await ask(broker.nc, "echo", "hi")).toEqual({
    body: { text: "hi" },
    error: "",
    errorCode: "",
  });
});

for (const [code, status] of [
  ["bad_request", 400],
  ["not_found", 404],
  ["conflict", 409],
  ["too_large", 413],
  ["busy", 429],
] as const) {
  test(`${code} is told with its reason under ${status}`, async () => {
    const { broker, log } = await mount(() => Promise.reject(new BusError(code, "because")));
    expect(await ask(broker.nc, "echo", "hi")).toEqual({
      body: { code, message: "because" },
      error: "because",
      errorCode: String(status),
    });
    expect(log).toEqual([]);
  });
}

for (const [what, error, code, status] of [
  ["unavailable", new BusError("unavailable", "db at 10.0.0.7 is gone"), "unavailable", 503],
  ["timeout", new BusError("timeout", "db at 10.0.0.7 is slow"), "timeout", 504],
  ["a bug", new TypeError("10.0.0.7 of undefined"), "internal", 500],
] as const) {
  test(`${what} is ${status} with an error id, and the log has the rest under that id`, async () => {
    const { broker, log } = await mount(() => Promise.reject(error));
    const answer = await ask(broker.nc, "echo", "hi");
    expect(answer).toMatchObject({ errorCode: String(status), body: { code } });
    expect(answer.body.message).toBe(answer.error);
    expect(JSON.stringify(answer)).not.toContain("10.0.0.7");
    // An outage is warned of, in one line; a bug is an error with its stack.
    const level = status === 500 ? 50 : 40;
    expect(log).toMatchObject([{ endpoint: "echo", error_id: answer.body.error_id, level }]);
    expect("err" in (log[0] ?? {})).toBe(status === 500);
    expect(JSON.stringify(log)).toContain("10.0.0.7");
  });
}

test("a request that cannot be read is no work for the handler", async () => {
  let handled = 0;
  const { broker } = await mount(
    async () => ++handled,
    () => {
      throw new BusError("bad_request", "unreadable");
    },
  );
  expect(await ask(broker.nc, "echo", "hi")).toMatchObject({ errorCode: "400" });
  expect(handled).toBe(0);
});

test("a reply that is too large is an error, not silence", async () => {
  const mounted = await mount(async () => "x".repeat(2 * 1024 * 1024));
  expect(await ask(mounted.broker.nc, "echo")).toMatchObject({
    errorCode: "413",
    body: { code: "too_large", message: expect.stringContaining("ask for less") },
  });
  expect(await echoFigures(mounted)).toMatchObject({ num_requests: 1, num_errors: 1 });
});

test("no answer within ten seconds is 504", async () => {
  const { broker } = await mount(() => new Promise(() => undefined));
  const startedAt = performance.now();
  expect(await ask(broker.nc, "echo")).toMatchObject({
    errorCode: "504",
    body: { code: "timeout", error_id: expect.any(String) },
  });
  expect(performance.now() - startedAt).toBeGreaterThan(9_500);
});

test("more than 128 requests at once are refused as busy, the others are answered", async () => {
  const work = gate();
  const mounted = await mount(() => work.opened.then(() => "done"));
  const { nc } = mounted.broker;
  const answers = Array.from({ length: 140 }, () => ask(nc, "echo"));
  await eventually(async () => (await echoFigures(mounted)).num_errors === 12);
  work.open();
  const codes = (await Promise.all(answers)).map(({ errorCode }) => errorCode);
  expect(codes.filter((code) => code === "429")).toHaveLength(12);
  expect(codes.filter((code) => code === "")).toHaveLength(128);
  expect(await ask(nc, "echo")).toMatchObject({ body: "done" });
});

test("an error of many lines fits into a header", async () => {
  const { broker } = await mount(() =>
    Promise.reject(new BusError("bad_request", "one\ntwo\r\nthree")),
  );
  const answer = await ask(broker.nc, "echo");
  expect(answer).toMatchObject({ errorCode: "400", body: { message: "one\ntwo\r\nthree" } });
});

test("a message without a reply subject is handled and answered to nobody", async () => {
  const handled: string[] = [];
  const mounted = await mount(async (text) => handled.push(text));
  mounted.broker.nc.publish("echo", "into the void");
  await eventually(() => handled.length === 1);
  expect(await echoFigures(mounted)).toMatchObject({ num_requests: 1, num_errors: 0 });
});

test("a request under a header that the client cannot read is handled", async () => {
  const handled: string[] = [];
  const { broker, stoppedBy } = await mount(async (text) => handled.push(text));
  await publishRaw(broker.port, "echo", "Bad Name: 1", "hi");
  await eventually(() => handled.length === 1);
  expect(stoppedBy).toEqual([]);
});

test("a stop answers what is in work and takes nothing more", async () => {
  const work = gate();
  const { broker, running, stoppedBy } = await mount(() => work.opened.then(() => "done"));
  const before = ask(broker.nc, "echo");
  await broker.nc.flush();
  const stopped = running.stop();
  await expect(ask(broker.nc, "echo")).rejects.toThrow(/no responders/i);
  work.open();
  expect(await before).toMatchObject({ body: "done" });
  await stopped;
  expect(stoppedBy).toEqual([]);
});

test("a connection that is closed under the service is told", async () => {
  const { broker, stoppedBy } = await mount(async () => "done");
  await broker.nc.close();
  await eventually(() => stoppedBy.length === 1);
});
