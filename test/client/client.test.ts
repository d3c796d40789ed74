import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { generateText, wrapLanguageModel } from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { expect, onTestFinished, test } from "vitest";
import { createClient, type RunEvent, withLessons } from "../../src/client/index.ts";
import { concerns } from "../../src/handlers/index.ts";
import { startService } from "../../src/service.ts";
import { readSettings } from "../../src/settings/index.ts";
import { eventually } from "../rig/eventually.ts";
import { freePort } from "../rig/ports.ts";
import { openStack, recordingLog } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";
import { lessonsConcern } from "./lessons-concern.ts";

const failure = { agent_id: "scout", result: { ok: false, error_class: "timeout" } };

/** A replica that hands back one lesson. */
async function startWithLesson(block = "search failed in 3 runs") {
  const asked: Record<string, unknown>[] = [];
  const stack = await openStack();
  const known = [
    ...concerns.filter(({ name }) => name !== "lessons"),
    lessonsConcern({ block, asked }),
  ];
  const settings = {
    ...readSettings(stack.env({ EXPERIENCE_HTTP_TOKEN: "sesame" })),
    concerns: known.map(({ name }) => name),
  };
  const service = await startService({
    settings,
    log: recordingLog().log,
    known,
    signal: new AbortController().signal,
    onFatal: (error) => {
      throw error;
    },
  });
  onTestFinished(() => service.stop());
  const url = `http://127.0.0.1:${service.httpPort}/`;
  return { stack, asked, url, bus: createClient({ url, token: "sesame", tenantId: "acme" }) };
}

/** Where nobody answers. */
async function closedPort(): Promise<string> {
  return `http://127.0.0.1:${await freePort()}`;
}

/** Takes requests and answers none. */
async function silentServer(): Promise<string> {
  const server = createServer(() => undefined).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

test("events are published, and lessons come back, for the client's tenant", async () => {
  const { bus, asked, stack } = await startWithLesson();
  expect(await bus.publish({ ...failure, event_id: "e1" })).toEqual({
    ...{ stored: 1, duplicates: 0, invalid: [] },
  });
  const again = await bus.publish([{ ...failure, event_id: "e1" }, failure]);
  expect(again).toMatchObject({ stored: 1, duplicates: 1 });
  const { block, lessons, error } = await bus.recall({ agent_id: "scout" });
  expect([block, lessons.length, error]).toEqual(["search failed in 3 runs", 1, undefined]);
  expect(await bus.outcome({ run_id: "r1", success: true })).toEqual({});
  expect(asked).toEqual([
    { agent_id: "scout", tenant_id: "acme" },
    { run_id: "r1", success: true, tenant_id: "acme" },
  ]);
  const stored = await stack.broker.jsm.streams.getMessage("EXPERIENCE", { seq: 1 });
  expect(stored?.json()).toMatchObject({ event_id: "e1", tenant_id: "acme" });
});

test("a lesson that three runs made is told to the next one, and how that ended is on record", async () => {
  const stack = await openStack();
  const { httpPort } = await stack.start({ LESSON_TRIAL_SHARE: "1" });
  const bus = createClient({ url: `http://127.0.0.1:${httpPort}`, deadlineMs: { recall: 5_000 } });
  const failed = ["r1", "r2", "r3"].map((run_id) => ({ ...failure, run_id, task_type: "triage" }));
  expect(await bus.publish(failed)).toMatchObject({ stored: 3 });
  const recall = () => bus.recall({ agent_id: "scout", task_type: "triage", run_id: "r4" });
  let told = await recall();
  await eventually(async () => {
    if (told.block === "") told = await recall();
    return told.block !== "";
  });
  expect(told.lessons).toMatchObject([{ lesson_type: "error", scope: "agent" }]);
  expect((await recall()).already).toEqual([told.lessons[0]?.lesson_key]);
  expect(await bus.outcome({ run_id: "r4", success: true })).toEqual({ stored: true });
});

test("a run is followed over a replica that stops, from event to event, to its end", async () => {
  const stack = await openStack();
  const port = String(await freePort());
  const first = await stack.start({ HTTP_PORT: port });
  const append = (type: string) =>
    ask(stack.broker.nc, "experience.runs.append", { run_id: "r/1", type });
  await append("run_started");
  const events: RunEvent[] = [];
  const bus = createClient({ url: `http://127.0.0.1:${port}` });
  let restarted: Promise<unknown> | undefined;
  for await (const event of bus.followRun("r/1")) {
    events.push(event);
    if (events.length > 1) continue;
    restarted = (async () => {
      await first.stop();
      await stack.start({ HTTP_PORT: port });
      await append("step");
      await append("run_completed");
    })();
  }
  await restarted;
  expect(events.map(({ cursor, type }) => [cursor, type])).toEqual([
    [1, "run_started"],
    [2, "step"],
    [3, "run_completed"],
  ]);
  await expect(bus.followRun("nobody").next()).rejects.toMatchObject({ status: 404 });
});

test("without a bus there are no lessons, no exception, and no long wait", async () => {
  const heard: unknown[] = [];
  const onError = (error: unknown) => heard.push(error);
  for (const [url, code] of [
    [await closedPort(), "unavailable"],
    [await silentServer(), "timeout"],
    ["not an address", "unavailable"],
  ] as const) {
    const bus = createClient({ url, onError, deadlineMs: { publish: 200 } });
    const none = { lessons: [], block: "", recorded: false, error: { code } };
    expect(await bus.recall({ agent_id: "scout" })).toMatchObject(none);
    expect(await bus.publish(failure)).toMatchObject({ stored: 0, error: { code } });
    expect(await bus.outcome({ run_id: "r1" })).toMatchObject({ error: { code } });
  }
  expect(heard).toHaveLength(9);
});

test("what goes wrong is thrown where that is wanted, with the service's own words", async () => {
  const { url } = await startWithLesson();
  // Which answer comes is the question here, not how fast.
  const deadlineMs = { recall: 10_000 };
  const bus = createClient({ url, token: "wrong", failOpen: false, deadlineMs });
  await expect(bus.recall({ agent_id: "scout" })).rejects.toMatchObject({
    ...{ name: "BusClientError", code: "unauthorized", status: 401 },
  });
});

/** A model that says OK and keeps what it was asked. */
const model = () =>
  new MockLanguageModelV3({
    provider: "acme",
    modelId: "m-1",
    doGenerate: async () => ({
      content: [{ type: "text", text: "OK" }],
      finishReason: { unified: "stop", raw: "stop" },
      usage: {
        inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
        outputTokens: { total: 1, text: 1, reasoning: 0 },
      },
      warnings: [],
    }),
  });

const promptsOf = ({ doGenerateCalls }: MockLanguageModelV3) =>
  doGenerateCalls.map(({ prompt }) => prompt.map(({ role, content }) => [role, content] as const));

test("a model of the AI SDK is told lessons in every call of a run, after its instructions", async () => {
  const { bus, asked } = await startWithLesson();
  const inner = model();
  const middleware = withLessons(bus, { agentId: "scout", taskType: "triage", runId: "r1" }, "v3");
  const wrapped = wrapLanguageModel({ model: inner, middleware });
  const say = () => generateText({ model: wrapped, system: "Be brief.", prompt: "Search." });
  expect((await say()).text).toBe("OK");
  await say();
  for (const prompt of promptsOf(inner)) {
    expect(prompt.slice(0, 2)).toEqual([
      ["system", "Be brief."],
      ["system", "search failed in 3 runs"],
    ]);
    expect(prompt).toHaveLength(3);
  }
  expect(asked[0]).toMatchObject({
    ...{ agent_id: "scout", task_type: "triage", run_id: "r1", provider: "acme", model: "m-1" },
  });
});

test("a model of the AI SDK answers as ever while the bus is away", async () => {
  const bus = createClient({ url: await silentServer() });
  const inner = model();
  const middleware = withLessons(bus, { agentId: "scout" }, "v3");
  const wrapped = wrapLanguageModel({ model: inner, middleware });
  expect((await generateText({ model: wrapped, prompt: "Search." })).text).toBe("OK");
  expect(promptsOf(inner)).toEqual([[["user", [{ type: "text", text: "Search." }]]]]);
});
