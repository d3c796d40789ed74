import * as ai6 from "ai";
import { MockLanguageModelV3 } from "ai/test";
import { expect, test } from "vitest";
import { type Recalled, type RecallRequest, withLessons } from "../../src/client/index.ts";
import { aiSdk7 } from "../rig/outside.ts";

/** It wants Node.js 22 to be installed without a warning, so it is no dependency. */
const sdk7 = await aiSdk7();
const ai7 = sdk7 && (await import(sdk7.main));
const { MockLanguageModelV4, simulateReadableStream } = sdk7 ? await import(sdk7.test) : {};

/** A bus that hands out these blocks, one after another, then nothing. */
function busWith(...blocks: string[]) {
  const asked: RecallRequest[] = [];
  const rest = { lessons: [], already: [], held_out: 0, omitted: [], recorded: true };
  const recall = async (request: RecallRequest): Promise<Recalled> => {
    asked.push(request);
    const block = blocks.shift() ?? "";
    return { ...rest, block, block_sha256: "" };
  };
  return { asked, recall };
}

const usage = {
  inputTokens: { total: 1, noCache: 1, cacheRead: 0, cacheWrite: 0 },
  outputTokens: { total: 1, text: 1, reasoning: 0 },
};
const finishReason = { unified: "stop", raw: "stop" } as const;
const said = {
  content: [{ type: "text" as const, text: "OK" }],
  ...{ finishReason, usage, warnings: [] },
};
const who = { provider: "acme", modelId: "m-1" };
const lessons = { agentId: "scout", taskType: "triage", runId: "r1" };

type Prompt = readonly { readonly role: string; readonly content: unknown }[];
const systemOf = (prompt: Prompt) =>
  prompt.filter(({ role }) => role === "system").map(({ content }) => content);

/** What the model is asked in two calls of one run, with each version of the SDK. */
const versions = {
  "AI SDK 6, specification v3": async (bus: ReturnType<typeof busWith>) => {
    const inner = new MockLanguageModelV3({ ...who, doGenerate: async () => said });
    const middleware = withLessons(bus, lessons, "v3");
    const model = ai6.wrapLanguageModel({ model: inner, middleware });
    for (const prompt of ["Search.", "Again."]) {
      expect((await ai6.generateText({ model, system: "Be brief.", prompt })).text).toBe("OK");
    }
    return inner.doGenerateCalls.map(({ prompt }) => prompt as Prompt);
  },
  "AI SDK 7, specification v4": async (bus: ReturnType<typeof busWith>) => {
    const inner = new MockLanguageModelV4({ ...who, doGenerate: async () => said });
    const model = ai7.wrapLanguageModel({ model: inner, middleware: withLessons(bus, lessons) });
    for (const prompt of ["Search.", "Again."]) {
      expect((await ai7.generateText({ model, system: "Be brief.", prompt })).text).toBe("OK");
    }
    return inner.doGenerateCalls.map(({ prompt }: { prompt: Prompt }) => prompt);
  },
};

test.each(Object.entries(versions).filter(([name]) => sdk7 || !name.includes("SDK 7")))(
  "%s: lessons come after the instructions, and stay in later calls of the run",
  async (_, calls) => {
    const bus = busWith("search failed in 3 runs", "pay failed in 4 runs");
    const prompts = await calls(bus);
    expect(prompts.map(systemOf)).toEqual([
      ["Be brief.", "search failed in 3 runs"],
      ["Be brief.", "search failed in 3 runs\n\npay failed in 4 runs"],
    ]);
    expect(prompts.every((prompt: Prompt) => prompt.at(-1)?.role === "user")).toBe(true);
    const known = { agent_id: "scout", task_type: "triage", run_id: "r1" };
    expect(bus.asked).toEqual([1, 2].map(() => ({ ...known, provider: "acme", model: "m-1" })));
  },
);

test.skipIf(!sdk7)(
  "a stream of AI SDK 7 is told lessons, too, and without lessons the prompt is as it was",
  async () => {
    const inner = new MockLanguageModelV4({
      ...who,
      doStream: async () => ({
        stream: simulateReadableStream({
          chunks: [
            { type: "text-start", id: "1" },
            { type: "text-delta", id: "1", delta: "OK" },
            { type: "text-end", id: "1" },
            { type: "finish", finishReason, usage },
          ],
        }),
      }),
    });
    const bus = busWith("search failed in 3 runs");
    const middleware = withLessons(bus, { agentId: "scout" });
    const model = ai7.wrapLanguageModel({ model: inner, middleware });
    for (const prompt of ["Search.", "Again."]) {
      expect(await ai7.streamText({ model, prompt }).text).toBe("OK");
    }
    const prompts: Prompt[] = inner.doStreamCalls.map(({ prompt }: { prompt: Prompt }) => prompt);
    expect(prompts.map(systemOf)).toEqual([["search failed in 3 runs"], []]);
  },
);
