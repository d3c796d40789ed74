import { expect, test } from "vitest";
import { apiPath } from "../../src/http/api.ts";
import { sampleOf } from "./sample.ts";
import { ask, endpoints, startWithTokens } from "./tenants.ts";

interface Shape {
  readonly type?: string;
  readonly additionalProperties?: boolean;
  readonly required?: readonly string[];
  readonly properties?: Readonly<Record<string, Shape>>;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
  readonly minimum?: number;
  readonly maximum?: number;
  readonly maxLength?: number;
  readonly maxItems?: number;
  readonly minItems?: number;
}

/** Producers write these by the ten thousands, in versions that this service does not know. */
const openToNewFields = new Set(["extractor", "runs-append", "changes-append", "ingest-explain"]);

/** Values that the schema of one field refuses. */
function wrongValues(shape: Shape): unknown[] {
  const wrong: unknown[] = [];
  if (shape.type === "integer" || shape.type === "number") {
    wrong.push("many", [1], {});
    if (shape.maximum !== undefined) wrong.push(shape.maximum + 1, 1e300);
    if (shape.minimum !== undefined) wrong.push(shape.minimum - 1, -1e300);
    if (shape.type === "integer") wrong.push((shape.minimum ?? 0) + 0.5);
  }
  if (shape.type === "string") wrong.push({}, ["x"], true);
  if (shape.maxLength !== undefined) wrong.push("x".repeat(shape.maxLength + 1));
  if (shape.type === "array") {
    wrong.push("x", {});
    const item = sampleOf(shape.items, {});
    if (shape.maxItems !== undefined) wrong.push(new Array(shape.maxItems + 1).fill(item));
    wrong.push(new Array(200_000).fill(item));
    if (shape.minItems !== undefined && shape.minItems > 0) wrong.push([]);
  }
  if (shape.type === "object" || shape.properties) wrong.push("x", 1, [{}]);
  if (shape.type === "boolean") wrong.push("perhaps", 2);
  return wrong;
}

test("a wrong request is refused with the field that is wrong, whichever endpoint is asked", async () => {
  const { service } = await startWithTokens({ EXPERIENCE_HTTP_RATE: "100000" });
  const openapi = await ask(service, "/api/v1/openapi.json", { method: "GET" });
  const { paths } = JSON.parse(openapi.text);
  let tried = 0;
  /** Refused with 400, and the message names the field first. */
  const refuses = async (name: string, field: string, body: unknown) => {
    tried++;
    const { status, text } = await ask(service, apiPath({ name }), { body });
    const said = `${name} ${field}: ${JSON.stringify(body).slice(0, 200)} → ${status} ${text.slice(0, 300)}`;
    if (status !== 400 || !String(JSON.parse(text).message).includes(field)) problems.push(said);
  };
  const problems: string[] = [];
  for (const { name, get } of endpoints) {
    const schema: Shape | undefined =
      paths[apiPath({ name })].post.requestBody?.content["application/json"].schema;
    const shape = schema?.anyOf?.find(({ properties }) => properties) ?? schema;
    if (shape?.properties === undefined) continue;
    const named = {
      ...{ lesson_key: "0123abcd", id: "1", cursor: undefined },
      ...{ until: undefined, since: undefined },
    };
    const sample = sampleOf(shape, named) as Record<string, unknown>;
    const isList = schema?.anyOf !== undefined;
    for (const [field, of] of Object.entries(shape.properties)) {
      for (const value of wrongValues(of)) {
        // What comes as a list of events is answered item by item.
        if (!isList) await refuses(name, field, { ...sample, [field]: value });
      }
    }
    for (const field of shape.required ?? []) {
      const { [field]: _, ...rest } = sample;
      if (!isList) await refuses(name, field, rest);
    }
    if (!get && !openToNewFields.has(name) && shape.additionalProperties === false) {
      await refuses(name, "surplus", { ...sample, surplus: 1 });
    }
  }
  expect(problems).toEqual([]);
  expect(tried).toBeGreaterThan(300);
  expect(service.fatal).toEqual([]);
}, 60_000);

test("whatever writes refuses fields that it does not know, but for what producers send", async () => {
  const { service } = await startWithTokens();
  const openapi = await ask(service, "/api/v1/openapi.json", { method: "GET" });
  const { paths } = JSON.parse(openapi.text);
  const lenient = endpoints
    .filter(({ may, get }) => !get && may !== "read" && may !== "recall")
    .filter(({ name }) => {
      const schema = paths[apiPath({ name })].post.requestBody?.content["application/json"].schema;
      return schema?.additionalProperties !== false;
    })
    .map(({ name }) => name);
  expect(lenient.sort()).toEqual([
    ...["changes-append", "extractor", "runs-append", "runs-heartbeat"],
  ]);
});

test("more events than a request may have are refused at once, and a recall for nobody", async () => {
  const { service } = await startWithTokens();
  const event = { agent_id: "a", run_id: "r", type: "t", result: { ok: true } };
  const change = { user_id: "u", table: "notes", record_id: "r", op: "insert", data: {} };
  for (const [path, item] of [
    ["extractor", event],
    ["runs/append", event],
    ["changes/append", change],
  ] as const) {
    const body = new Array(1_001).fill(item);
    const { status, text } = await ask(service, `/api/v1/${path}`, { body });
    expect([path, status], text).toEqual([path, 413]);
    expect(text).toContain("1000");
  }
  const { status, text } = await ask(service, "/api/v1/lessons/recall", { body: { tool: "pay" } });
  expect([status, JSON.parse(text).message]).toEqual([400, expect.stringContaining("agent_id")]);
});
