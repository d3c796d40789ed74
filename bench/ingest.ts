import type { ChildProcess } from "node:child_process";
import { setTimeout as wait } from "node:timers/promises";
import { ROOT_CONTEXT, SpanKind, trace } from "@opentelemetry/api";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import type { Part } from "./part.ts";
import { cpuSecondsOf, cpuSecondsOfProcess } from "./process-times.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";
import { freePort } from "./service-metrics.ts";

interface IngestFigures {
  readonly perSecond: number;
  readonly seconds: number;
  readonly loads: readonly LoadFigures[];
}

interface LoadFigures {
  readonly load: string;
  /** Of 512 spans in one export. */
  readonly events: number;
  /** From sending an export to its answer, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Of the events of exports that were answered with 200, those that are not in the stream. */
  readonly lost: number;
  /** Exports that were answered with 429 or 503, and sent again. */
  readonly again: number;
  /** CPU of one span, microseconds; the service's with that of learning from the events. */
  readonly serviceUs: number;
  readonly brokerUs: number;
  readonly senderUs: number;
}

const spansARequest = 512;
/** Until the code is compiled; they are not counted. */
const warmUp = 20;

/** What is exported: a trace, again and again. One in twenty calls has failed. */
interface Load {
  readonly load: string;
  readonly trace: readonly SpanOf[];
}

interface SpanOf {
  readonly name: string;
  readonly count: number;
  readonly attributes: Record<string, string | number>;
  /** It is a call, which becomes an event. */
  readonly isCall: boolean;
}

const tool: SpanOf = {
  ...{ name: "execute_tool pay", count: 1, isCall: true },
  attributes: { "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay" },
};
const chat: SpanOf = {
  ...{ name: "chat gpt-5", count: 1, isCall: true },
  attributes: {
    ...{ "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai" },
    ...{ "gen_ai.request.model": "gpt-5", "gen_ai.usage.input_tokens": 1_200 },
    ...{ "gen_ai.usage.output_tokens": 80, "gen_ai.input.messages": "x".repeat(400) },
  },
};
const agent: SpanOf = {
  ...{ name: "invoke_agent billing", count: 1, isCall: false },
  attributes: { "gen_ai.operation.name": "invoke_agent", "gen_ai.agent.name": "billing" },
};
/** HTTP clients and databases are instrumented, too: they are no agents. */
const other: SpanOf = {
  ...{ name: "POST", count: 1, isCall: false },
  attributes: {
    ...{ "http.request.method": "POST", "server.address": "api.example.com" },
    ...{ "url.full": "https://api.example.com/v1/things", "http.response.status_code": 200 },
  },
};

const loads: readonly Load[] = [
  {
    load: "traces of agents: of 16 spans 5 calls of tools, 4 of models, 1 agent, 6 of HTTP",
    trace: [agent, { ...chat, count: 4 }, { ...tool, count: 5 }, { ...other, count: 6 }],
  },
  { load: "nothing but calls of tools", trace: [{ ...tool, count: 16 }] },
];

/**
 * One replica, which learns from the events as well, is sent exports at a steady rate. They are made before, so that
 * what is measured shares the processor with the sending alone. Nobody follows runs: there is no stream of theirs.
 */
async function measureIngest(
  rig: Rig,
  options: { readonly perSecond: number; readonly seconds: number },
): Promise<IngestFigures> {
  const figures: LoadFigures[] = [];
  for (const load of loads) figures.push(await measureLoad(rig, load, options));
  return { ...options, loads: figures };
}

async function measureLoad(
  rig: Rig,
  { load, trace }: Load,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<LoadFigures> {
  const port = await freePort();
  const child = startContender("../dist/main.js", {
    ...{ NATS_URL: rig.natsUrl, LEARNER_DATABASE_URL: rig.databaseUrl },
    ...{ HTTP_PORT: String(port), HTTP_HOST: "127.0.0.1" },
    ...{
      EXPERIENCE_CONCERNS: "extractor,ingest",
      EXPERIENCE_INGEST: "on",
      EXPERIENCE_HTTP_OPEN: "true",
    },
  });
  const url = `http://127.0.0.1:${port}`;
  try {
    await until(() => fetch(`${url}/readyz`).then(({ ok }) => ok, () => false)); // biome-ignore format: one line
    const count = Math.ceil((perSecond * seconds) / spansARequest);
    const bodies = Array.from({ length: warmUp + count }, () => exportOf(trace));
    const rate = perSecond / spansARequest;
    await send(`${url}/v1/traces`, bodies.slice(0, warmUp), rate);
    const stored = async () => (await rig.jsm.streams.info("EXPERIENCE")).state.last_seq;
    const before = { stored: await stored(), cpu: cpuSeconds(child) };
    const { times, again } = await send(`${url}/v1/traces`, bodies.slice(warmUp), rate);
    const [events, after] = [eventsIn(trace), cpuSeconds(child)];
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
    const us = (of: keyof typeof after) =>
      ((after[of] - before.cpu[of]) / (count * spansARequest)) * 1e6;
    return {
      ...{ load, events, again, p50: at(0.5), p99: at(0.99), max: at(1) },
      lost: count * events - ((await stored()) - before.stored),
      ...{ serviceUs: us("service"), brokerUs: us("broker"), senderUs: us("sender") },
    };
  } finally {
    await stopContender(child);
  }
}

function cpuSeconds(child: ChildProcess) {
  const { user, system } = process.cpuUsage();
  return {
    service: cpuSecondsOfProcess(child.pid),
    broker: cpuSecondsOf("nats-server"),
    sender: (user + system) / 1e6,
  };
}

const spansIn = (trace: Load["trace"]) => trace.reduce((sum, { count }) => sum + count, 0);

function eventsIn(trace: Load["trace"]): number {
  return (spansARequest / spansIn(trace)) * spansIn(trace.filter(({ isCall }) => isCall));
}

function exportOf(spans: Load["trace"]): Uint8Array {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "bench" }),
    spanProcessors: [new SimpleSpanProcessor(memory)],
  });
  const tracer = provider.getTracer("bench");
  let calls = 0;
  for (let made = 0; made < spansARequest; made += spansIn(spans)) {
    const root = tracer.startSpan("POST /chat", { kind: SpanKind.SERVER });
    const within = trace.setSpan(ROOT_CONTEXT, root);
    for (const { name, count, attributes, isCall } of spans) {
      for (let i = 0; i < count; i++) {
        const span = tracer.startSpan(name, { attributes }, within);
        if (isCall && ++calls % 20 === 0)
          span.setAttribute("error.type", "TimeoutError").setStatus({ code: 2 });
        span.end();
      }
    }
  }
  return ProtobufTraceSerializer.serializeRequest(memory.getFinishedSpans()) ?? new Uint8Array();
}

async function send(url: string, bodies: readonly Uint8Array[], perSecond: number) {
  const times: number[] = [];
  let again = 0;
  const one = async (body: Uint8Array) => {
    const sentAt = performance.now();
    const headers = { "Content-Type": "application/x-protobuf" };
    for (;;) {
      const answer = await fetch(url, { method: "POST", body: new Uint8Array(body), headers });
      await answer.arrayBuffer();
      if (answer.status === 200) break;
      if (answer.status !== 429 && answer.status !== 503) throw new Error(`HTTP ${answer.status}`);
      again++;
      await wait(Number(answer.headers.get("Retry-After") ?? 1) * 1_000);
    }
    times.push(performance.now() - sentAt);
  };
  const startedAt = performance.now();
  const sent: Promise<void>[] = [];
  for (const [number, body] of bodies.entries()) {
    const due = startedAt + (number * 1_000) / perSecond;
    await wait(Math.max(0, due - performance.now()));
    const answered = one(body);
    // Where one is refused while others are still to be sent, the wait for all of them says so.
    answered.catch(() => undefined);
    sent.push(answered);
  }
  await Promise.all(sent);
  return { times, again };
}

export const ingestPart: Part<IngestFigures> = {
  name: "ingest",
  measure: ({ rig, quick }) =>
    measureIngest(rig, quick ? { perSecond: 1_024, seconds: 2 } : { perSecond: 10_000, seconds: 20 }), // biome-ignore format: one line
  promises: ({ loads: [mix, ...others] }) => [
    {
      ...{ promise: "ingest: p99 of an export of a mix <= 100 ms", limit: 100, most: true },
      measured: mix?.p99 ?? Number.NaN,
    },
    {
      ...{ promise: "ingest: events lost", limit: 0, most: true },
      measured: [mix, ...others].reduce((sum, one) => sum + (one?.lost ?? Number.NaN), 0),
    },
  ],
  report: ({ perSecond, loads }) =>
    loads.map((one) => {
      const [p50, p99, max, service, broker, sender] = [
        ...[one.p50, one.p99, one.max, one.serviceUs, one.brokerUs, one.senderUs],
      ].map((value) => value.toFixed(0));
      return (
        `Ingest of ${perSecond} spans/s, ${spansARequest} an export (${one.events} events), ${one.load}: ` +
        `p50 ${p50} ms, p99 ${p99} ms, max ${max} ms; ${one.again} sent again, ${one.lost} lost; ` +
        `CPU of a span: service ${service} µs, broker ${broker} µs, sender ${sender} µs`
      );
    }),
};
