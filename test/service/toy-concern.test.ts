import { Type } from "typebox";
import { expect, onTestFinished, test } from "vitest";
import { openAttempts } from "../../src/handlers/attempts.ts";
import type { ConcernDeclaration } from "../../src/handlers/concern.ts";
import {
  desiredState,
  endpointsOf,
  metricsOf,
  permissionsOf,
  privilegesOf,
} from "../../src/handlers/derived.ts";
import { concerns } from "../../src/handlers/index.ts";
import { inspect, nameOf } from "../../src/nats/inspect.ts";
import { openDatabase, silentLog } from "../../src/postgres/client.ts";
import { missingTables } from "../../src/postgres/privileges.ts";
import { namesOf } from "../../src/runtime/consumers.ts";
import { startService } from "../../src/service.ts";
import { readSettings } from "../../src/settings/index.ts";
import { eventually } from "../rig/eventually.ts";
import { get, openStack, recordingLog } from "../rig/service.ts";
import { ask } from "../rig/traffic.ts";

interface ToySettings {
  readonly toyName: string;
}

const heard: string[] = [];

/** One endpoint, one durable, one table, one setting: all that a concern has to say. */
const toys: ConcernDeclaration<ToySettings> = {
  name: "toys",
  summary: "hears of toys",
  settings: (read) => ({ toyName: read.text("TOY_NAME", "ball") }),
  jetstream(_, build) {
    const source = build.source("TOYS", "toys.>", { optional: true });
    return {
      streams: [source, build.attempts("toy-reader", { vital: false })],
      durables: [build.durable(source, { name: "toy-reader", description: "hears of toys" })],
    };
  },
  endpoints: { "toys-name": { does: "the name of the toy", may: "read", get: true } },
  tables: { "public.toys": ["SELECT"] },
  metrics: (make) => ({ toys: make.counter("toys_total", "Toys heard of") }),
  async open(context) {
    const attempts = await openAttempts(context, "toy-reader");
    const [wanted] = context.desired.durables;
    if (wanted === undefined) throw new Error("the toy has no durable");
    return {
      parts: [
        {
          endpoints: [
            {
              name: "toys-name",
              request: null,
              reply: Type.Object({ name: Type.String() }),
              decode: () => null,
              handle: async () => ({ name: context.settings.toyName }),
            },
          ],
          consumptions: [
            {
              ...namesOf(wanted),
              decode: ({ data }) => Buffer.from(data).toString(),
              async handle(items: readonly string[]) {
                heard.push(...items);
              },
            },
          ],
        },
      ],
      durables: [{ wanted, maxDeliver: 5, attempts }],
    };
  },
};

const known = [...concerns, toys];

async function startWithToys() {
  const stack = await openStack();
  await stack.database.sql.unsafe("CREATE TABLE toys (name text)");
  const { log } = recordingLog();
  const settings = {
    ...readSettings(stack.env()),
    concerns: known.map(({ name }) => name),
    toyName: "kite",
  };
  const service = await startService({
    settings,
    log,
    known,
    signal: new AbortController().signal,
    onFatal: (error) => {
      throw error;
    },
  });
  onTestFinished(() => service.stop());
  return { stack, settings, service };
}

test("a concern is mounted, provisioned and read by its declaration alone", async () => {
  const { stack, settings, service } = await startWithToys();
  const { nc, js, jsm } = stack.broker;
  expect((await ask(nc, "experience.toys.name")).body).toEqual({ name: "kite" });
  const { absent } = await inspect(jsm, desiredState(settings, settings.concerns, known));
  expect(absent.map(nameOf)).toEqual([]);
  await js.publish("toys.box", "doll");
  await eventually(() => heard.includes("doll"));
  const { consumers } = JSON.parse((await get(service.httpPort, "/health")).text).checks;
  expect(Object.keys(consumers)).toContain("TOYS/toy-reader");
  expect((await ask(nc, "experience.stats")).body.streams).toHaveProperty("TOYS");
  expect((await get(service.httpPort, "/metrics")).text).toContain("toys_total 0");
});

test("what a declaration asks for is permitted, documented and examined", async () => {
  const stack = await openStack();
  const settings = { ...readSettings(stack.env()), concerns: ["toys"], toyName: "kite" };
  const subjects = permissionsOf(settings, known).map(({ subject }) => subject);
  expect(subjects).toContain("experience.toys.name");
  expect(subjects).toContain("$JS.API.CONSUMER.MSG.NEXT.TOYS.toy-reader");
  expect(subjects).toContain("dead.TOYS.toy-reader");
  expect(endpointsOf(known)).toContainEqual({
    name: "toys-name",
    subject: "experience.toys.name",
    does: "the name of the toy",
    may: "read",
    get: true,
  });
  const database = openDatabase({ url: stack.database.url, log: silentLog });
  onTestFinished(() => database.close());
  expect(await missingTables(database, privilegesOf(known))).toEqual(["public.toys"]);
  expect(metricsOf(known).registry.getSingleMetric("toys_total")).toBeDefined();
});
