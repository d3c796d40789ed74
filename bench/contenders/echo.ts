import { createServer } from "node:http";
import { text } from "node:stream/consumers";
import { jetstream, jetstreamManager, StorageType } from "@nats-io/jetstream";
import { connect } from "@nats-io/transport-node";

/**
 * Responders without a thought of their own: what it costs on this machine to ask anything of anybody, and what it costs
 * where each answer to a run is on a stream first. Over NATS (`bench.echo`, `bench.record`) and over HTTP (the same as paths).
 */
const { NATS_URL: servers = "", HTTP_PORT: port = "" } = process.env;
const reply = JSON.stringify({ recorded: true, lessons: [{ lesson: "x".repeat(600) }] });
/** About as long as the record of a run. */
const record = "x".repeat(1_800);

const nc = await connect({ servers, noAsyncTraces: true });
const js = jetstream(nc);
const { streams } = await jetstreamManager(nc);
const subjects = ["bench.records.>"];
await streams.add({ name: "BENCH_RECORDS", subjects, storage: StorageType.File });

let records = 0;
async function answerTo(request: string): Promise<string> {
  if (!request.includes('"run_id"')) return reply;
  const expect = { lastSubjectSequence: 0 };
  await js.publish(`bench.records.${process.pid}-${++records}`, record, { expect });
  return reply;
}

nc.subscribe("bench.echo", { callback: (_, message) => void message.respond(reply) });
nc.subscribe("bench.record", {
  callback(_, message) {
    void answerTo(message.string()).then((answer) => message.respond(answer));
  },
});
createServer((request, response) => {
  const respond = (answer: string) =>
    response.writeHead(200, { "Content-Type": "application/json" }).end(answer);
  if (request.url === "/record") void text(request).then(answerTo).then(respond);
  else request.resume().once("end", () => respond(reply));
}).listen(Number(port), "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
