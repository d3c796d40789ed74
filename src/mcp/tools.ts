import { type CallToolResult, fromJsonSchema, McpServer } from "@modelcontextprotocol/server";
import { BusError, isOutage, messageOf } from "../errors.ts";
import { type Static, type TObject, type TSchema, Type } from "../schema/typebox.ts";
import { version } from "../version.ts";

/** Asks an endpoint by its name. Rejects with a `BusError` where it refuses or does not answer. */
export type AskEndpoint = (endpoint: string, request: object) => Promise<unknown>;

const text = (description: string) => Type.String({ minLength: 1, maxLength: 256, description });
const optional = (description: string) => Type.Optional(text(description));

/** What all tools say of the work that they are about. */
const work = {
  agent_id: text("your name, the same in every call"),
  task_type: optional("kind of task, such as triage"),
  tool: optional("name of the tool"),
  run_id: optional("the piece of work that this belongs to, the same in all its calls"),
};

const recallInput = Type.Object({
  ...work,
  provider: optional("who serves the model"),
  model: optional("the model"),
  max_lessons: Type.Optional(Type.Integer({ minimum: 1, maximum: 20, description: "default: 5" })),
});
const recallOutput = Type.Object({
  block: Type.String({ description: "what is known, as facts; empty: nothing" }),
  lesson_keys: Type.Array(Type.String()),
  already: Type.Array(Type.String(), { description: "told earlier in this run" }),
});

const failure = {
  error_class: Type.Optional(
    Type.String({
      maxLength: 8_192,
      description: "kind of failure, such as TimeoutError or http_429",
    }),
  ),
  http_status: Type.Optional(Type.Integer({ minimum: 100, maximum: 599 })),
};

const reportInput = Type.Object({
  ...work,
  ...failure,
  ok: Type.Boolean({ description: "whether it worked" }),
  latency_ms: Type.Optional(Type.Number({ minimum: 0, description: "of the tool call" })),
  run_ended: Type.Optional(
    Type.Boolean({ description: "the whole run is over, and `ok` says how; needs run_id" }),
  ),
});
const reportOutput = Type.Object({
  stored: Type.Boolean(),
  reason: Type.Optional(Type.String({ description: "why it was not stored" })),
});

const explainInput = Type.Object({ ...work, ...failure });
const explainOutput = Type.Object({
  rules: Type.Array(
    Type.Object({
      lesson_type: Type.String(),
      threshold: Type.Integer(),
      because: Type.String(),
      lesson_exists: Type.Optional(Type.Boolean()),
    }),
  ),
});

const listInput = Type.Object({
  agent_id: optional("only of this agent"),
  task_type: optional("only of this kind of task"),
  limit: Type.Optional(Type.Integer({ minimum: 1, maximum: 100, description: "default: 20" })),
});
const listOutput = Type.Object({
  lessons: Type.Array(
    Type.Object({
      lesson_key: Type.String(),
      lesson_type: Type.String(),
      agent_id: Type.String(),
      task_type: Type.String(),
      status: Type.String(),
      facts: Type.String({ description: "what agents are told" }),
      learned_at: Type.String(),
    }),
  ),
});

/** A server of the tools by which a model learns from the bus and tells it what happened. */
export function openMcpServer(ask: AskEndpoint): McpServer {
  const server = new McpServer(
    { name: "experience-bus", title: "Experience Bus", version },
    {
      instructions:
        "Lessons that agents like you have learned from failures. Call recall_lessons before you use a tool or begin a task, and report_outcome after each tool call, above all when it failed.",
    },
  );
  const add = toolAdder(server);
  add("recall_lessons", {
    title: "Recall lessons",
    description:
      "What is known about what you are about to do: how it failed before, for whom, and what helped. Call it before a task, and before a tool that may fail. Facts, not orders; often there are none, then go on without.",
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    input: recallInput,
    output: recallOutput,
    work: (request) => recall(ask, request),
  });
  add("report_outcome", {
    title: "Report an outcome",
    description:
      "Tells the bus how a tool call or a step went, so that lessons can be learned from it. Call it after each tool call that failed, with the kind of failure and no contents; after those that worked, too, where it is cheap; and with run_ended at the end of a run.",
    annotations: { readOnlyHint: false, destructiveHint: false, openWorldHint: false },
    input: reportInput,
    output: reportOutput,
    work: (request) => report(ask, request),
  });
  add("explain_missing_lesson", {
    title: "Explain a missing lesson",
    description:
      "Why a failure has made no lesson: which rules it counts for, how much evidence there is, and how much it takes. Stores nothing. Call it when somebody asks why nothing was learned.",
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    input: explainInput,
    output: explainOutput,
    work: (request) => explain(ask, request),
  });
  add("list_lessons", {
    title: "List lessons",
    description:
      "The lessons that were learned, the newest first. For people who want to see what there is; before doing something, recall_lessons is the one to call.",
    annotations: { readOnlyHint: true, idempotentHint: true, openWorldHint: false },
    input: listInput,
    output: listOutput,
    work: (request) => list(ask, request),
  });
  return server;
}

interface Tool<In extends TObject, Out extends TObject> {
  readonly title: string;
  readonly description: string;
  readonly annotations: Readonly<Record<string, boolean>>;
  readonly input: In;
  readonly output: Out;
  readonly work: (
    request: Static<In>,
  ) => Promise<{ readonly text: string; readonly value: Static<Out> }>;
}

function toolAdder(server: McpServer) {
  return <In extends TObject, Out extends TObject>(name: string, tool: Tool<In, Out>): void => {
    const { input, output, work: answer, ...rest } = tool;
    const shapes = { inputSchema: standard<Static<In>>(input), outputSchema: standard(output) };
    server.registerTool(name, { ...rest, ...shapes }, async (request): Promise<CallToolResult> => {
      try {
        const { text: said, value } = await answer(request as Static<In>);
        const structuredContent = value as Record<string, unknown>;
        return { content: [{ type: "text", text: said }], structuredContent };
      } catch (error) {
        // A bug is the protocol's to report.
        if (!(error instanceof BusError)) throw error;
        return { content: [{ type: "text", text: messageOf(error) }], isError: true };
      }
    });
  };
}

const standard = <T>(schema: TSchema) => fromJsonSchema<T>(JSON.parse(JSON.stringify(schema)));

/** An agent goes on without lessons where the bus is away. */
async function recall(ask: AskEndpoint, request: Static<typeof recallInput>) {
  try {
    const found = (await ask("lessons-recall", request)) as {
      readonly block: string;
      readonly lessons: readonly { readonly lesson_key: string }[];
      readonly already: readonly string[];
    };
    const lesson_keys = found.lessons.map((one) => one.lesson_key);
    const value = { block: found.block, lesson_keys, already: [...found.already] };
    return { text: found.block || "Nothing is known about this: go on.", value };
  } catch (error) {
    if (!isOutage(error)) throw error;
    const value = { block: "", lesson_keys: [], already: [] };
    return { text: "The bus does not answer now: go on without lessons.", value };
  }
}

async function report(ask: AskEndpoint, request: Static<typeof reportInput>) {
  const { run_ended, run_id, ok } = request;
  if (run_ended && run_id === undefined) {
    throw new BusError("bad_request", "run_id: is required with run_ended");
  }
  if (run_ended) await ask("lessons-outcome", { run_id, success: ok });
  const { stored, duplicates, invalid } = (await ask("extractor", eventOf(request))) as {
    readonly stored: number;
    readonly duplicates: number;
    readonly invalid: readonly { readonly reason: string }[];
  };
  const [problem] = invalid;
  const value = { stored: stored + duplicates > 0, ...(problem && { reason: problem.reason }) };
  return { text: problem ? `Not stored: ${problem.reason}` : "Stored.", value };
}

async function explain(ask: AskEndpoint, request: Static<typeof explainInput>) {
  const event = eventOf({ ...request, ok: false });
  const { rules } = (await ask("extractor-explain", event)) as Static<typeof explainOutput>;
  const value = {
    rules: rules.map(({ lesson_type, threshold, because, lesson_exists }) => ({
      ...{ lesson_type, threshold, because },
      ...(lesson_exists !== undefined && { lesson_exists }),
    })),
  };
  const lines = value.rules.map(({ lesson_type, because }) => `${lesson_type}: ${because}`);
  return { text: lines.join("\n"), value };
}

/** The stored text of a lesson has words of events in it; a model is told the facts alone. */
async function list(ask: AskEndpoint, { limit = 20, ...filter }: Static<typeof listInput>) {
  const { lessons } = (await ask("lessons-list", { ...filter, limit })) as {
    readonly lessons: readonly Readonly<Record<string, string | null>>[];
  };
  const value = {
    lessons: lessons.map((one) => ({
      lesson_key: one["lesson_key"] ?? "",
      lesson_type: one["lesson_type"] ?? "",
      agent_id: one["agent_id"] ?? "",
      task_type: one["task_type"] ?? "",
      status: one["status"] ?? "",
      facts: one["facts"] ?? "",
      learned_at: one["ts"] ?? "",
    })),
  };
  const lines = value.lessons.map((one) => `${one.agent_id}, ${one.lesson_type}: ${one.facts}`);
  return { text: lines.join("\n") || "There are no lessons like that.", value };
}

function eventOf(request: Partial<Static<typeof reportInput>> & { readonly agent_id: string }) {
  const { agent_id, task_type, tool, run_id, ok, error_class, http_status, latency_ms } = request;
  const timed = latency_ms === undefined ? {} : { latency_ms };
  return {
    ...{ agent_id, source: "mcp" },
    ...(task_type !== undefined && { task_type }),
    ...(run_id !== undefined && { run_id }),
    ...(tool !== undefined && { tool: { name: tool, ...timed } }),
    result: {
      ok,
      ...(error_class !== undefined && { error_class }),
      ...(http_status !== undefined && { http_status }),
    },
  };
}
