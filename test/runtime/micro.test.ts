import { type TSchema, Type } from "typebox";
import { Errors } from "typebox/value";
import { expect, test } from "vitest";
import { version } from "../../src/version.ts";
import { openStack, type Stack } from "../rig/service.ts";
import { ask, failures } from "../rig/traffic.ts";

/**
 * What the micro protocol asks of `$SRV` replies: ADR-32, and the rules of the published schemas
 * io.nats.micro.v1.{ping,info,stats}_response.
 */
const label = Type.String({ pattern: "^[a-zA-Z0-9_-]+$" });
const text = Type.String({ minLength: 1 });
const metadata = Type.Union([Type.Record(Type.String(), Type.String()), Type.Null()]);
const semver = Type.String({
  pattern: "^(0|[1-9]\\d*)\\.(0|[1-9]\\d*)\\.(0|[1-9]\\d*)(-[0-9A-Za-z.-]+)?(\\+[0-9A-Za-z.-]+)?$",
});
const int64 = Type.Integer({ minimum: 0, maximum: Number.MAX_SAFE_INTEGER });
const identity = (kind: string) => ({
  type: Type.Literal(`io.nats.micro.v1.${kind}_response`),
  name: label,
  id: text,
  version: semver,
  metadata: Type.Optional(metadata),
});
const schemas: Record<string, TSchema> = {
  PING: Type.Object(identity("ping")),
  INFO: Type.Object({
    ...identity("info"),
    description: Type.String(),
    endpoints: Type.Array(Type.Object({ name: label, subject: text, queue_group: text, metadata })),
  }),
  STATS: Type.Object({
    ...identity("stats"),
    started: Type.String({
      pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(\\.\\d+)?(Z|[+-]\\d\\d:\\d\\d)$",
    }),
    endpoints: Type.Array(
      Type.Object({
        name: label,
        subject: text,
        queue_group: text,
        num_requests: int64,
        num_errors: int64,
        last_error: Type.String(),
        processing_time: int64,
        average_processing_time: int64,
        data: Type.Optional(Type.Object({})),
      }),
    ),
  }),
};

interface Figures {
  readonly name: string;
  readonly num_requests: number;
  readonly num_errors: number;
  readonly last_error: string;
  readonly processing_time: number;
  readonly average_processing_time: number;
}

async function figuresOf({ broker: { nc } }: Stack, endpoint: string): Promise<Figures> {
  const { body } = await ask(nc, "$SRV.STATS.experience-bus");
  return body.endpoints.find(({ name }: Figures) => name === endpoint);
}

for (const verb of ["PING", "INFO", "STATS"]) {
  test(`$SRV.${verb} answers for all, by name and by instance, as the protocol wants it`, async () => {
    const stack = await openStack();
    const { instance } = await stack.start();
    for (const of of ["", ".experience-bus", `.experience-bus.${instance}`]) {
      const { body } = await ask(stack.broker.nc, `$SRV.${verb}${of}`);
      expect(Errors(schemas[verb] as TSchema, body)).toEqual([]);
      expect(body).toMatchObject({ name: "experience-bus", id: instance, version });
    }
  });
}

test("every replica answers $SRV.PING with an id of its own", async () => {
  const stack = await openStack();
  const services = await Promise.all([stack.start(), stack.start(), stack.start()]);
  const replies = await stack.broker.nc.requestMany("$SRV.PING.experience-bus", "", {
    strategy: "count",
    maxMessages: 3,
    maxWait: 2_000,
  });
  const ids = [];
  for await (const reply of replies) ids.push(reply.json<{ id: string }>().id);
  expect(ids.sort()).toEqual(services.map(({ instance }) => instance).sort());
});

test("$SRV.INFO names the endpoints, their subjects and their schemas", async () => {
  const stack = await openStack();
  const { instance } = await stack.start();
  const { body } = await ask(stack.broker.nc, "$SRV.INFO.experience-bus");
  const subjects = body.endpoints.map((one: { name: string; subject: string }) => [
    one.name,
    one.subject,
  ]);
  expect(Object.fromEntries(subjects)).toEqual({
    extractor: "experience.extractor",
    "extractor-explain": "experience.extractor.explain",
    health: "experience.health",
    "health-instance": `experience.health.${instance}`,
    stats: "experience.stats",
    "deadletters-list": "experience.deadletters.list",
    "deadletters-get": "experience.deadletters.get",
    "deadletters-replay": "experience.deadletters.replay",
    "deadletters-purge": "experience.deadletters.purge",
    "features-get": "experience.features.get",
    "features-batch": "experience.features.batch",
    "review-create": "experience.review.create",
    "review-advance": "experience.review.advance",
    "review-get": "experience.review.get",
    "review-list": "experience.review.list",
    "review-remove": "experience.review.remove",
    "review-stats": "experience.review.stats",
    "lessons-recall": "experience.lessons.recall",
    "lessons-list": "experience.lessons.list",
    "lessons-get": "experience.lessons.get",
    "lessons-curate": "experience.lessons.curate",
    "lessons-receipts": "experience.lessons.receipts",
    "lessons-outcome": "experience.lessons.outcome",
    "effects-list": "experience.effects.list",
    "effects-get": "experience.effects.get",
    "lessons-root": "experience.lessons.root",
    "history-backtest": "experience.history.backtest",
    "memory-save": "experience.memory.save",
    "memory-get": "experience.memory.get",
    "memory-list": "experience.memory.list",
    "memory-recall": "experience.memory.recall",
    "memory-feedback": "experience.memory.feedback",
    "memory-promote": "experience.memory.promote",
    "memory-remove": "experience.memory.remove",
    "ingest-explain": "experience.ingest.explain",
    "memory-audit": "experience.memory.audit",
    "memory-stats": "experience.memory.stats",
    "changes-append": "experience.changes.append",
    "agents-list": "experience.agents.list",
    "agents-get": "experience.agents.get",
    "missions-list": "experience.missions.list",
    "missions-get": "experience.missions.get",
    "missions-iterations": "experience.missions.iterations",
    "missions-audit": "experience.missions.audit",
    "missions-tick": "experience.missions.tick",
    "fleet-health": "experience.fleet.health",
    "counts-series": "experience.counts.series",
    "counts-agents": "experience.counts.agents",
    "counts-rebuild": "experience.counts.rebuild",
    "runs-append": "experience.runs.append",
    "runs-events": "experience.runs.events",
    "runs-get": "experience.runs.get",
    "runs-heartbeat": "experience.runs.heartbeat",
    "runs-latest": "experience.runs.latest",
    "runs-list": "experience.runs.list",
  });
  for (const { metadata: of } of body.endpoints) {
    expect(JSON.parse(of.request_schema)).toBeTypeOf("object");
    expect(JSON.parse(of.reply_schema)).toHaveProperty("properties");
  }
});

test("$SRV.STATS counts requests, errors and time truly", async () => {
  const stack = await openStack();
  await stack.start();
  const { nc } = stack.broker;
  for (let i = 0; i < 5; i++) await ask(nc, "experience.extractor", failures(1));
  for (let i = 0; i < 2; i++) await ask(nc, "experience.extractor", "no json");
  const figures = await figuresOf(stack, "extractor");
  expect(figures).toMatchObject({ num_requests: 7, num_errors: 2, last_error: "not JSON" });
  expect(figures.processing_time).toBeGreaterThan(0);
  expect(figures.average_processing_time).toBe(Math.floor(figures.processing_time / 7));
});

test("time in $SRV.STATS is the time until the answer, not until the handler returned", async () => {
  const stack = await openStack();
  await stack.start();
  const startedAt = performance.now();
  await ask(stack.broker.nc, "experience.extractor", failures(1_000));
  const tookMs = performance.now() - startedAt;
  const spentMs = (await figuresOf(stack, "extractor")).processing_time / 1e6;
  expect(spentMs).toBeLessThanOrEqual(tookMs);
  expect(spentMs).toBeGreaterThan(tookMs / 4);
});

test("an endpoint that nobody has asked has figures of zero", async () => {
  const stack = await openStack();
  await stack.start();
  await ask(stack.broker.nc, "experience.extractor", failures(1));
  expect(await figuresOf(stack, "stats")).toMatchObject({
    num_requests: 0,
    num_errors: 0,
    last_error: "",
    processing_time: 0,
    average_processing_time: 0,
  });
});

test("events in invalid shape are an answer, not an error of the endpoint", async () => {
  const stack = await openStack();
  await stack.start();
  await ask(stack.broker.nc, "experience.extractor", [{}]);
  expect(await figuresOf(stack, "extractor")).toMatchObject({ num_requests: 1, num_errors: 0 });
});

test("requests are spread over the replicas and each counts its own", async () => {
  const stack = await openStack();
  const services = await Promise.all([stack.start(), stack.start()]);
  const { nc } = stack.broker;
  await Promise.all(Array.from({ length: 40 }, () => ask(nc, "experience.health")));
  const counts = [];
  for (const { instance } of services) {
    const { body } = await ask(nc, `$SRV.STATS.experience-bus.${instance}`);
    counts.push(body.endpoints.find(({ name }: Figures) => name === "health").num_requests);
  }
  expect(counts[0] + counts[1]).toBe(40);
  expect(Math.min(...counts)).toBeGreaterThan(0);
});
