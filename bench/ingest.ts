import { setTimeout as wait } from "node:timers/promises";
import { ProtobufTraceSerializer } from "@opentelemetry/otlp-transformer";
import { resourceFromAttributes } from "@opentelemetry/resources";
import {
  BasicTracerProvider,
  InMemorySpanExporter,
  SimpleSpanProcessor,
} from "@opentelemetry/sdk-trace-base";
import type { Part } from "./part.ts";
import { type Rig, startContender, stopContender, until } from "./rig.ts";

interface IngestFigures {
  readonly perSecond: number;
  readonly seconds: number;
  readonly spansARequest: number;
  /** From sending an export to its answer, ms. */
  readonly p50: number;
  readonly p99: number;
  readonly max: number;
  /** Spans that were answered with 200 but are not in the stream. */
  readonly lost: number;
  /** Exports that were answered with 429 or 503, and sent again. */
  readonly again: number;
}

const spansARequest = 512;

/** One replica is sent exports of tool calls at a steady rate; one in twenty has failed. */
async function measureIngest(
  rig: Rig,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<IngestFigures> {
  const port = 20_000 + (process.pid % 20_000);
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
    const { state } = await rig.jsm.streams.info("EXPERIENCE");
    const count = Math.ceil((perSecond * seconds) / spansARequest);
    const bodies = Array.from({ length: count }, exportOfToolCalls);
    const { times, again } = await send(`${url}/v1/traces`, bodies, perSecond / spansARequest);
    const stored = async () =>
      (await rig.jsm.streams.info("EXPERIENCE")).state.last_seq - state.last_seq;
    times.sort((a, b) => a - b);
    const at = (share: number) => times[Math.ceil(share * times.length) - 1] ?? Number.NaN;
    const lost = count * spansARequest - (await stored());
    return { perSecond, seconds, spansARequest, p50: at(0.5), p99: at(0.99), max: at(1), lost, again }; // biome-ignore format: one line
  } finally {
    await stopContender(child);
  }
}

function exportOfToolCalls(): Uint8Array {
  const memory = new InMemorySpanExporter();
  const provider = new BasicTracerProvider({
    resource: resourceFromAttributes({ "service.name": "bench" }),
    spanProcessors: [new SimpleSpanProcessor(memory)],
  });
  const tracer = provider.getTracer("bench");
  for (let i = 0; i < spansARequest; i++) {
    const span = tracer.startSpan("execute_tool pay");
    span.setAttributes({ "gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "pay" });
    if (i % 20 === 0) span.setAttribute("error.type", "TimeoutError").setStatus({ code: 2 });
    span.end();
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
  promises: ({ p99, lost }) => [
    { promise: "ingest: p99 of an export <= 100 ms", limit: 100, measured: p99, most: true },
    { promise: "ingest: spans lost", limit: 0, measured: lost, most: true },
  ],
  report({ perSecond, p50, p99, max, again, lost, spansARequest }) {
    const ms = [p50, p99, max].map((value) => value.toFixed(0));
    return [
      `Ingest of ${perSecond} spans/s, ${spansARequest} an export: p50 ${ms[0]} ms, p99 ${ms[1]} ms, max ${ms[2]} ms; ${again} sent again, ${lost} lost`,
    ];
  },
};
