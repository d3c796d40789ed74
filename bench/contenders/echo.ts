import { createServer } from "node:http";
import { connect } from "@nats-io/transport-node";

/** A responder that does nothing: what it costs to ask anything of anybody on this machine, over NATS and over HTTP. */
const { NATS_URL: servers = "", HTTP_PORT: port = "" } = process.env;
const reply = JSON.stringify({ recorded: true, lessons: [{ lesson: "x".repeat(600) }] });

const nc = await connect({ servers, noAsyncTraces: true });
nc.subscribe("bench.echo", {
  callback(_, message) {
    message.respond(reply);
  },
});
createServer((request, response) => {
  request.resume().once("end", () => {
    response.writeHead(200, { "Content-Type": "application/json" }).end(reply);
  });
}).listen(Number(port), "127.0.0.1");
process.once("SIGTERM", () => process.exit(0));
