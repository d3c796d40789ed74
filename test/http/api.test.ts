import { expect, test } from "vitest";
import { openStack, type TestService } from "../rig/service.ts";
import { failures } from "../rig/traffic.ts";

/** A request with a body, as JSON unless it is text already. */
async function post(
  { httpPort }: Pick<TestService, "httpPort">,
  path: string,
  body: unknown,
  headers: Record<string, string> = {},
) {
  const response = await fetch(`http://127.0.0.1:${httpPort}/api/v1/${path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json", ...headers },
    body: typeof body === "string" ? body : JSON.stringify(body),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

test("an endpoint answers over HTTP as over NATS, under the status of its error", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const stored = await post(service, "extractor", [...failures(3), {}]);
  expect(stored).toMatchObject({ status: 200, body: { stored: 3, invalid: [{ index: 3 }] } });
  expect(await post(service, "runs/get", { run_id: "nobody" })).toMatchObject({
    status: 404,
    body: { code: "not_found", message: "there is no such run" },
  });
  expect((await post(service, "runs/get", {})).status).toBe(400);
  const { text } = await service.http("/api/v1/runs/list?limit=1&status=running");
  expect(JSON.parse(text)).toEqual({ runs: [], cursor: null });
  expect((await service.http("/api/v1/runs/list?limit=none")).status).toBe(400);
  expect((await service.http("/api/v1/runs/append")).status).toBe(405);
  expect((await service.http("/api/v1/nothing")).status).toBe(404);
});

test("a concern that this replica does not host is asked of one that does", async () => {
  const stack = await openStack();
  await stack.start({ EXPERIENCE_CONCERNS: "runs" });
  const service = await stack.start({ EXPERIENCE_CONCERNS: "memory" });
  const event = { run_id: "r1", type: "run_started" };
  expect(await post(service, "runs/append", event)).toMatchObject({ body: { stored: 1 } });
  expect((await post(service, "runs/get", { run_id: "r0" })).status).toBe(404);
  expect((await service.http("/api/v1/runs/get?run_id=r1")).status).toBe(200);
  expect((await service.http("/api/v1/runs/list?limit=none")).status).toBe(400);
  const { paths } = JSON.parse((await service.http("/api/v1/openapi.json")).text);
  const { requestBody } = paths["/api/v1/runs/get"].post;
  expect(requestBody.content["application/json"].schema.required).toContain("run_id");
  expect(await post(service, "features/get", { user_id: "ada" })).toMatchObject({
    status: 503,
    body: { message: expect.stringContaining("EXPERIENCE_CONCERNS") },
  });
});
