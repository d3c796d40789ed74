import net from "node:net";
import { expect, test } from "vitest";
import { fromCloudEvent } from "../../src/handlers/extractor/cloud-event.ts";
import { apiPath } from "../../src/http/api.ts";
import { figures, openStack, type Stack, type TestService } from "../rig/service.ts";
import { sampleOf } from "./sample.ts";
import { type Asked, ask, endpoints, fill, ids, marker, startWithTokens } from "./tenants.ts";

/** Every row of a tenant, by table. */
async function belongings({ database: { sql } }: Stack, tenant: string) {
  const tables = await sql<{ name: string }[]>`
    SELECT table_name AS name FROM information_schema.columns
    WHERE table_schema = 'public' AND column_name = 'tenant_id' ORDER BY 1`;
  const found: Record<string, string> = {};
  for (const { name } of tables) {
    const rows = await sql.unsafe(
      `SELECT to_jsonb(t)::text AS row FROM "${name}" t WHERE tenant_id = $1 ORDER BY 1`,
      [tenant],
    );
    if (rows.length > 0) found[name] = rows.map(({ row }) => row).join("\n");
  }
  return found;
}

test("a token of another tenant reads and changes nothing of this one, whichever endpoint it asks", async () => {
  const { stack, service } = await startWithTokens();
  await fill(stack, service);
  const before = await belongings(stack, "acme");
  const { paths } = JSON.parse(
    (await ask(service, "/api/v1/openapi.json", { method: "GET" })).text,
  );
  const requestFor = (name: string, tenant: string) => {
    const { post } = paths[apiPath({ name })];
    const schema = post.requestBody?.content["application/json"].schema;
    const named = { ...ids, tenant_id: tenant, tenantId: tenant, user_ids: ["v-1"], limit: 100 };
    return sampleOf(schema, { ...named, cursor: undefined, since: 0, until: undefined });
  };
  const read = async (token: string, tenant: string) => {
    const answers: Record<string, { status: number; text: string }> = {};
    for (const { name, get } of endpoints) {
      const path = apiPath({ name });
      const body = requestFor(name, tenant);
      answers[name] = await ask(service, path, { token, body });
      const query = new URLSearchParams({ ...ids, tenant_id: tenant, tenantId: tenant });
      if (get)
        answers[`${name} GET`] = await ask(service, `${path}?${query}`, { token, method: "GET" });
      // What asks in several ways for the same, none of it JSON that two parsers read alike.
      const twice = `{"tenant_id":"${tenant}","entry_id":"v-1","run_id":"v-1","tenant_id":"${tenant}"}`;
      answers[`${name} twice`] = await ask(service, path, { token, body: twice });
    }
    return answers;
  };
  const seen = await read("evil", "acme");
  for (const [name, { status, text }] of Object.entries(seen)) {
    expect(text, name).not.toContain(marker);
    expect(status, `${name}: ${text}`).toBeLessThan(500);
    const { fleet } = endpoints.find((one) => one.name === name) ?? {};
    if (fleet) expect(status, name).toBe(403);
  }
  const stream = await ask(service, "/runs/v-1/events", {
    ...{ token: "evil", method: "GET", headers: { "X-Tenant-ID": "acme" } },
  });
  expect(stream.status).toBe(404);
  expect(await belongings(stack, "acme")).toEqual(before);
  // The same questions of its own tenant show that they would have found something.
  const own = await read("reader", "evil");
  const found = Object.keys(own).filter((name) => own[name]?.text.includes(marker));
  expect(found).toEqual(expect.arrayContaining(["runs-get", "runs-get GET", "runs-events"]));
  expect(found).toEqual(
    expect.arrayContaining(["memory-get", "memory-list GET", "lessons-list GET"]),
  );
}, 60_000);

test("each endpoint is refused without a token, with an unknown one, and without its right", async () => {
  const { service } = await startWithTokens();
  for (const { name, may } of endpoints) {
    const path = apiPath({ name });
    for (const token of ["", "nobody"]) {
      const { status, headers } = await ask(service, path, { token, body: {} });
      expect([name, status, headers.get("www-authenticate")]).toEqual([name, 401, "Bearer"]);
    }
    const token = may === "publish" ? "reader" : "publisher";
    const { status, text } = await ask(service, path, { token, body: {} });
    expect([name, status], text).toEqual([name, 403]);
    expect(JSON.parse(text).message).toContain(`"${may}"`);
  }
  for (const path of ["/api/v1/openapi.json", "/api/v1/nothing", "/runs/r1/events"]) {
    expect((await ask(service, path, { token: "", method: "GET" })).status, path).toBe(401);
  }
  for (const path of ["/livez", "/readyz", "/health", "/metrics"]) {
    expect((await ask(service, path, { token: "", method: "GET" })).status, path).toBe(200);
  }
});

test("a reader's token does not belong in the address, and a ticket is for one run", async () => {
  const { service } = await startWithTokens();
  for (const run_id of ["r1", "r2"]) {
    const body = [
      { run_id, type: "a" },
      { run_id, type: "run_completed" },
    ];
    await ask(service, "/api/v1/runs/append", { token: "acme", body });
  }
  const follow = (run: string, query: string) =>
    ask(service, `/runs/${run}/events?${query}`, { token: "", method: "GET" });
  expect((await follow("r1", "token=reader")).status).toBe(401);
  const { text } = await ask(service, "/runs/r1/ticket", { token: "reader" });
  const { ticket, expires_at } = JSON.parse(text);
  expect(Date.parse(expires_at)).toBeGreaterThan(Date.now());
  const followed = await follow("r1", `ticket=${ticket}`);
  expect([followed.status, followed.text.match(/^id: \d+$/gm)?.length]).toEqual([200, 2]);
  expect((await follow("r2", `ticket=${ticket}`)).status).toBe(401);
  expect((await follow("r1", `ticket=${ticket}x`)).status).toBe(401);
  expect((await ask(service, "/runs/r1/ticket", { token: "publisher" })).status).toBe(403);
});

test("what is no proper request is refused, and leaves the replica as it was", async () => {
  const { service } = await startWithTokens();
  const path = "/api/v1/runs/get";
  const status = async (asked: Asked, of = path) => (await ask(service, of, asked)).status;
  const typed = (type: string) => ({ body: "{}", headers: { "Content-Type": type } });
  for (const type of [
    "text/plain",
    "application/x-www-form-urlencoded",
    "multipart/form-data",
    "",
    "application/jsonx",
  ]) {
    expect(await status(typed(type)), type).toBe(415);
  }
  for (const type of ["application/json; charset=utf-8", "application/cloudevents+json"]) {
    expect(await status(typed(type)), type).toBe(400);
  }
  const bodies = [
    "",
    "{",
    "[]",
    "null",
    '"x"',
    '{"__proto__":{}}',
    '{"constructor":1}',
    '{"run_id":"\\u0000"}',
    "\ufeff{}",
  ];
  for (const token of ["ops", "acme"]) {
    for (const body of bodies) expect(await status({ token, body }), body).toBe(400);
  }
  for (const method of ["PUT", "DELETE", "PATCH", "OPTIONS"]) {
    expect(await status({ method }), method).toBe(405);
  }
  for (const wrong of [
    "/api/v1/../../etc/passwd",
    "/api/v1/%2e%2e/health",
    "/api/v1/runs%2fget",
    "/api/v1//runs/get",
    "/api/v1/runs/get/",
    "/api/v1/health/*",
    "/api/v1/health/a.b",
    "/api/v1/__proto__",
    "/api/v1/constructor",
  ]) {
    const found = await status({ body: {} }, wrong);
    expect([400, 404], wrong).toContain(found);
  }
  const large = `{"run_id":"${"x".repeat(4 * 1024 * 1024)}"}`;
  expect(await status({ body: large })).toBe(413);
  const { headers } = await ask(service, path, {
    ...{ body: {}, headers: { "X-Request-Id": "a<script>" } },
  });
  expect(headers.get("x-request-id")).toMatch(/^[0-9a-f-]{36}$/);
  expect(headers.get("x-content-type-options")).toBe("nosniff");
  const given = await ask(service, path, { body: {}, headers: { "X-Request-Id": "id-1" } });
  expect(given.headers.get("x-request-id")).toBe("id-1");
  const paths = Object.keys(await figures(service)).filter((one) =>
    one.startsWith("http_requests"),
  );
  expect(paths.some((one) => one.includes('path="unmatched"'))).toBe(true);
  expect(paths.join("\n")).not.toMatch(/passwd|proto|etc/);
  expect(service.fatal).toEqual([]);
  expect((await service.health()).status).toBe("ok");
});

/** What the server answers to these bytes, until it ends the connection or has answered. */
function raw({ httpPort }: TestService, ...parts: readonly string[]): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = net.connect(httpPort, "127.0.0.1");
    let text = "";
    socket.on("data", (data) => {
      text += data;
      if (text.includes("\r\n\r\n")) socket.destroy();
    });
    socket.on("close", () => resolve(text.split("\r\n")[0] ?? ""));
    socket.on("error", (error: NodeJS.ErrnoException) =>
      error.code === "EPIPE" || error.code === "ECONNRESET" ? undefined : reject(error),
    );
    for (const part of parts) socket.write(part);
  });
}

test("a body in chunks that says nothing of its length is cut off at 4 MiB", async () => {
  const { service } = await startWithTokens();
  const head =
    "POST /api/v1/runs/get HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer ops\r\n" +
    "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n";
  const chunk = `100000\r\n${"x".repeat(0x100000)}\r\n`;
  expect(await raw(service, head, ...Array.from({ length: 5 }, () => chunk))).toContain(" 413 ");
  const smuggled = head.replace("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\n0\r\n\r\n");
  expect(await raw(service, smuggled)).toContain(" 400 ");
});

test("more requests than a token may make are refused with when to come again, and no others", async () => {
  const { service } = await startWithTokens({ EXPERIENCE_HTTP_RATE: "1" });
  const statuses = [];
  for (let i = 0; i < 8; i++) {
    const { status, headers } = await ask(service, "/api/v1/runs/list", {
      token: "reader",
      body: {},
    });
    statuses.push(status);
    if (status === 429) expect(headers.get("retry-after")).toBe("1");
  }
  expect(statuses.slice(0, 2)).toEqual([200, 200]);
  expect(statuses).toContain(429);
  expect((await ask(service, "/api/v1/runs/list", { token: "acme", body: {} })).status).toBe(200);
});

test("pages of other origins are told so by browsers, those that are set are let in", async () => {
  const { service } = await startWithTokens({ EXPERIENCE_HTTP_ORIGINS: "https://pages.test" });
  const preflight = (origin: string) =>
    ask(service, "/api/v1/runs/get", {
      ...{ method: "OPTIONS", token: "" },
      headers: { Origin: origin, "Access-Control-Request-Method": "POST" },
    });
  const allowed = await preflight("https://pages.test");
  expect([allowed.status, allowed.headers.get("access-control-allow-origin")]).toEqual([
    ...[204, "https://pages.test"],
  ]);
  const other = await preflight("https://evil.test");
  expect(other.headers.get("access-control-allow-origin")).toBe(null);
});

test("in production without tokens only probes and metrics are served", async () => {
  const stack = await openStack();
  const production = { NODE_ENV: "production", LESSON_COIN_KEY: "a coin" };
  const service = await stack.start({ ...production, EXPERIENCE_PROVISION: "apply" });
  for (const path of ["/api/v1/runs/get", "/runs/r1/events", "/api/v1/openapi.json", "/"]) {
    const { status, text } = await ask(service, path, { method: "GET" });
    expect([path, status], text).toEqual([path, 403]);
  }
  expect((await service.http("/readyz")).status).toBe(200);
  const open = await stack.start({ ...production, EXPERIENCE_HTTP_OPEN: "true" });
  expect((await ask(open, "/api/v1/runs/list", { token: "", body: {} })).status).toBe(200);
});

test("no token is in a line of the log or in a metric", async () => {
  const { service } = await startWithTokens({ LOG_LEVEL: "trace" });
  await ask(service, "/api/v1/runs/list?token=in-the-address", {
    token: "unknown-token",
    method: "GET",
  });
  await ask(service, "/runs/r1/events?token=in-the-address", { method: "GET" });
  const said = JSON.stringify(service.log) + (await service.http("/metrics")).text;
  expect(said).not.toMatch(/unknown-token|in-the-address|Bearer/);
  expect(said).toContain("request answered");
});

test("an event in a CloudEvent belongs to the token's tenant, whatever its data says", async () => {
  const { stack, service } = await startWithTokens();
  for (const [i, tenant] of [{ tenant_id: "acme" }, { tenantId: "acme" }, {}].entries()) {
    const data = { ...tenant, agent_id: "intruder", result: { ok: true } };
    const shared = { specversion: "1.0", id: `c-${i}`, source: "/agents/intruder" };
    const encoded = Buffer.from(JSON.stringify(data)).toString("base64");
    for (const body of [
      { ...shared, type: "agent.experience.v1", data },
      { ...shared, id: `d-${i}`, type: "agent.experience.v1", data_base64: encoded },
    ]) {
      const { status, text } = await ask(service, "/api/v1/extractor/explain", {
        token: "evil",
        body,
      });
      // What explain understands is what the extractor stores.
      if (status === 200) expect(JSON.parse(text).event.tenant_id).toBe("evil");
      const stored = await ask(service, "/api/v1/extractor", { token: "evil", body });
      expect([stored.status, JSON.parse(stored.text).stored], stored.text).toEqual([200, 1]);
    }
  }
  const { js } = stack.broker;
  const stream = await js.streams.get("EXPERIENCE");
  for (let seq = 1; seq <= 6; seq += 1) {
    const message = await stream.getMessage({ seq });
    const event = message?.json<Record<string, unknown>>() ?? {};
    expect((fromCloudEvent(event) ?? event)["tenant_id"]).toBe("evil");
  }
});
