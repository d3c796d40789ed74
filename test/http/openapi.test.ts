import { Validator } from "@seriousme/openapi-schema-validator";
import Schema from "typebox/schema";
import { expect, test } from "vitest";
import { endpointsOf } from "../../src/handlers/derived.ts";
import { concerns } from "../../src/handlers/index.ts";
import { apiPath } from "../../src/http/api.ts";
import { openStack, type TestService } from "../rig/service.ts";
import { failures } from "../rig/traffic.ts";
import { sampleOf } from "./sample.ts";

async function documentOf({ http }: TestService) {
  const { status, text } = await http("/api/v1/openapi.json");
  expect(status).toBe(200);
  return JSON.parse(text);
}

async function post({ httpPort }: TestService, path: string, body: unknown) {
  const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify(body),
  });
  return { status: response.status, reply: await response.json() };
}

test("the document is valid OpenAPI 3.1", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const validator = new Validator();
  const { valid, errors } = await validator.validate(await documentOf(service));
  expect(errors ?? []).toEqual([]);
  expect([valid, validator.version]).toEqual([true, "3.1"]);
});

interface Shape {
  readonly properties?: Readonly<Record<string, unknown>>;
  readonly anyOf?: readonly Shape[];
  readonly items?: Shape;
}

/** In the request, or in each item of it, however it is written. */
function takesTenant({ properties, anyOf, items }: Shape): boolean {
  if (anyOf !== undefined) return anyOf.every(takesTenant);
  return items === undefined ? properties?.["tenant_id"] !== undefined : takesTenant(items);
}

test("every endpoint is in the document, and answers as it says there", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const { paths, components } = await documentOf(service);
  const endpoints = endpointsOf(concerns);
  const documented = Object.keys(paths).sort();
  expect(documented).toEqual(
    endpoints
      .map((one) => (one.name === "health-instance" ? "/api/v1/health/{instance}" : apiPath(one)))
      .sort(),
  );
  await post(service, "/api/v1/extractor", failures(3));
  const answered: Record<string, number> = {};
  for (const path of documented) {
    const { post: described, get } = paths[path];
    const {
      may,
      get: isRead,
      fleet,
    } = endpoints.find(({ name }) => name === described.operationId) ?? expect.fail(path);
    expect(described.description, path).toContain(`\`${may}\``);
    expect(get !== undefined, path).toBe(isRead === true);
    const schema = described.requestBody?.content["application/json"].schema;
    // Otherwise a token of one tenant could not be kept to it.
    expect(fleet === true || takesTenant(schema), path).toBe(true);
    const body = sampleOf(schema, { cursor: undefined, since: 0, until: undefined });
    const { status, reply } = await post(
      service,
      path.replace("{instance}", service.instance),
      body,
    );
    answered[path] = status;
    const shape =
      status === 200
        ? described.responses[200].content["application/json"].schema
        : components.schemas.Error;
    expect(Schema.Errors(shape, reply), path).toEqual([true, []]);
    expect(status, `${path}: ${JSON.stringify(reply)}`).toBeLessThan(500);
  }
  expect(Object.values(answered).filter((status) => status === 200).length).toBeGreaterThan(15);
});
