import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { describe, expect, onTestFinished, test } from "vitest";
import { isRefusal } from "../../../src/errors.ts";
import { endpointsOf } from "../../../src/handlers/derived.ts";
import { concerns } from "../../../src/handlers/index.ts";
import { openAccess } from "../../../src/http/access.ts";
import { readBody } from "../../../src/http/body.ts";
import { requireKnownOrigin } from "../../../src/http/origin.ts";
import { requestFrom } from "../../../src/http/query.ts";
import { rateLimit } from "../../../src/http/rate-limit.ts";
import { payloadFor } from "../../../src/http/tenant.ts";
import { holderOfTicket, ticketFor } from "../../../src/http/ticket.ts";
import { everyRight, hashOf, parseTokens } from "../../../src/http/tokens.ts";
import { openLog } from "../../../src/log.ts";
import { inspectJson } from "../../../src/schema/json.ts";

const silentLog = openLog("silent", false);

const line = (fields: object = {}) =>
  JSON.stringify({
    ...{ name: "ci", sha256: hashOf("sesame").toString("hex"), tenant_id: "acme", may: ["read"] },
    ...fields,
  });
const settings = { open: false, origins: [], ratePerSecond: 2 };

describe("a tokens file", () => {
  test("has a token a line", () => {
    const [one, two] = parseTokens(`${line()}\n\n${line({ name: "ops", tenant_id: "*" })}\n`);
    expect(one).toMatchObject({ name: "ci", tenantId: "acme", may: new Set(["read"]) });
    expect(two).toMatchObject({ name: "ops", tenantId: "*" });
  });

  test.each([
    [line({ may: ["write"] })],
    [line({ may: [] })],
    [line({ sha256: "abc" })],
    [line({ tenant_id: "" })],
    [line({ tenant: "acme" })],
    [`{"name":"s3cr3t"`],
    [`${line()}\n${line()}`],
  ])("%s is refused, and not repeated", (text) => {
    expect(() => parseTokens(text)).toThrow(/line 1|two tokens/);
    expect(() => parseTokens(text)).not.toThrow(/s3cr3t|[0-9a-f]{64}/);
  });

  test("that cannot be read ends the start", () => {
    const open = () => openAccess({ ...settings, tokensFile: "/nowhere/tokens" }, silentLog);
    expect(open).toThrow(/EXPERIENCE_HTTP_TOKENS: .*ENOENT/);
  });

  test("is read again when it changes, and a broken one changes nothing", async () => {
    const folder = mkdtempSync(join(tmpdir(), "tokens-"));
    onTestFinished(() => rmSync(folder, { recursive: true }));
    const tokensFile = join(folder, "tokens");
    writeFileSync(tokensFile, line());
    let now = 0;
    const clock = () => now;
    const access = openAccess({ ...settings, tokensFile }, silentLog, clock);
    const who = async (token: string) => {
      now += 2_000;
      return (await access.identify(token))?.name ?? null;
    };
    expect(await who("sesame")).toBe("ci");
    writeFileSync(tokensFile, line({ name: "renamed-token" }));
    expect(await who("sesame")).toBe("renamed-token");
    writeFileSync(tokensFile, "no longer JSON, and longer than before");
    expect(await who("sesame")).toBe("renamed-token");
    rmSync(tokensFile);
    expect(await who("sesame")).toBe("renamed-token");
    writeFileSync(tokensFile, "");
    expect(await who("sesame")).toBe(null);
  });
});

test("without tokens everybody may, or nobody, as is set", async () => {
  const open = openAccess({ ...settings, open: true }, silentLog);
  open.requireOpen();
  expect(await open.callerOf(undefined)).toMatchObject({ tenantId: "*", may: everyRight });
  expect(() => openAccess(settings, silentLog).requireOpen()).toThrow(/EXPERIENCE_HTTP_OPEN=true/);
});

test.each([
  undefined,
  "sesame",
  "Basic sesame",
  "Bearer",
  "Bearer  ",
  "Bearer sesam",
  "Bearer a b",
])("the header %s names nobody", async (header) => {
  const access = openAccess({ ...settings, token: "sesame" }, silentLog);
  await expect(access.callerOf(header)).rejects.toMatchObject({ code: "unauthorized" });
});

test("a token beyond its rate is busy, and others are not", async () => {
  const access = openAccess({ ...settings, token: "sesame" }, silentLog, () => 0);
  for (let i = 0; i < 4; i++) await access.callerOf("Bearer sesame");
  await expect(access.callerOf("Bearer sesame")).rejects.toMatchObject({ code: "busy" });
});

test("a rate limit lets pass what it says, and as much again at once", () => {
  fc.assert(
    fc.property(fc.array(fc.nat(2_000), { maxLength: 60 }), (gapsMs) => {
      let now = 0;
      const limit = rateLimit(5, () => now);
      let passed = 0;
      for (const gap of gapsMs) {
        now += gap;
        if (limit.take("a")) passed += 1;
        expect(passed).toBeLessThanOrEqual(10 + (now / 1_000) * 5);
      }
    }),
  );
});

describe("a ticket", () => {
  const [token] = parseTokens(line());
  const [other] = parseTokens(line({ name: "other", sha256: hashOf("other").toString("hex") }));
  if (!token || !other) throw new Error("no tokens");
  const { ticket } = ticketFor(token, { run: "r1", tenant: "acme" }, 0);

  test("is taken for its run, with the tenant that it was made for", () => {
    expect(holderOfTicket(ticket, "r1", [other, token], 59_999)).toEqual({
      ...{ token, tenantId: "acme" },
    });
  });

  test.each([
    ["another run", () => holderOfTicket(ticket, "r2", [token], 0)],
    ["a later time", () => holderOfTicket(ticket, "r1", [token], 60_000)],
    ["a replica without its token", () => holderOfTicket(ticket, "r1", [other], 0)],
    [
      "a token that is another one now",
      () => holderOfTicket(ticket, "r1", [{ ...token, sha256: other.sha256 }], 0),
    ],
    [
      "a token of another tenant now",
      () => holderOfTicket(ticket, "r1", [{ ...token, tenantId: "evil" }], 0),
    ],
    ["nothing", () => holderOfTicket("", "r1", [token], 0)],
    ["no JSON", () => holderOfTicket("bnVsbA.AAAA", "r1", [token], 0)],
  ])("is not taken for %s", (_, take) => {
    expect(take).toThrow(/expired/);
  });

  test("with anything changed in it is not taken", () => {
    const claims = (fields: object) =>
      Buffer.from(
        JSON.stringify({ run: "r1", tenant: "acme", by: "ci", until: 1e15, ...fields }),
      ).toString("base64url");
    const signature = ticket.split(".")[1];
    for (const changed of [{}, { tenant: "evil" }, { by: "other" }]) {
      const forged = `${claims(changed)}.${signature}`;
      expect(() => holderOfTicket(forged, "r1", [token, other], 0)).toThrow(/expired/);
    }
  });
});

describe("the tenant of a token", () => {
  const tenantsOf = (request: unknown) =>
    JSON.parse(
      Buffer.from(
        payloadFor({ tenantId: "acme" }, Buffer.from(JSON.stringify(request))),
      ).toString(),
    );

  const isReadable = (request: unknown) => {
    try {
      inspectJson(request);
      return true;
    } catch (error) {
      if (!isRefusal(error)) throw error;
      return false;
    }
  };

  test("decides whatever a request says, in every item of it", () => {
    const values = fc.dictionary(
      fc.constantFrom("tenant_id", "tenantId", "a", "run_id"),
      fc.jsonValue({ maxDepth: 2 }),
    );
    fc.assert(
      fc.property(fc.oneof(values, fc.array(values)), (request) => {
        // A text that nothing may hold, such as a key `__proto__`, is refused, whoever asks.
        fc.pre(isReadable(request));
        const found = tenantsOf(request);
        expect(Array.isArray(found)).toBe(Array.isArray(request));
        for (const one of [found].flat()) {
          expect(one.tenant_id).toBe("acme");
          expect(one).not.toHaveProperty("tenantId");
        }
      }),
    );
  });

  test("is there where the request is empty, and what is no object stays none", () => {
    const empty = payloadFor({ tenantId: "acme" }, new Uint8Array());
    expect(Buffer.from(empty).toString()).toBe('{"tenant_id":"acme"}');
    expect(tenantsOf([[{ a: 1 }]])).toEqual([[{ a: 1 }]]);
    expect(tenantsOf("text")).toBe("text");
  });

  test.each([
    ["not JSON", "{"],
    ["a key __proto__", '{"__proto__":{"tenant_id":"evil"}}'],
    ["constructor", '{"constructor":1}'],
    ["nests deeper", "[".repeat(100_000) + "]".repeat(100_000)],
  ])("what cannot be read is refused: %s", (reason, text) => {
    const read = () => payloadFor({ tenantId: "acme" }, Buffer.from(text));
    expect(read).toThrow(new RegExp(reason));
  });

  test("of all tenants changes nothing", () => {
    const payload = Buffer.from('{"tenant_id":"x"}');
    expect(payloadFor({ tenantId: "*" }, payload)).toBe(payload);
  });
});

describe("a body", () => {
  const bodyOf = (chunks: readonly string[], ends = true) =>
    new Request("http://localhost", {
      method: "POST",
      duplex: "half",
      body: new ReadableStream({
        start(controller) {
          for (const chunk of chunks) controller.enqueue(Buffer.from(chunk));
          if (ends) controller.close();
        },
      }),
    } as RequestInit);

  test("is read to its end", async () => {
    expect(Buffer.from(await readBody(bodyOf(["ab", "c"]))).toString()).toBe("abc");
    expect(await readBody(new Request("http://localhost"))).toHaveLength(0);
  });

  test("that is too large is refused, whatever it says of itself", async () => {
    await expect(readBody(bodyOf(["abc", "d"]), 3)).rejects.toMatchObject({ code: "too_large" });
    const told = { method: "POST", headers: { "Content-Length": "4" }, body: "abcd" };
    const request = new Request("http://localhost", told);
    await expect(readBody(request, 3)).rejects.toMatchObject({ code: "too_large" });
  });

  test("that does not come is not waited for", async () => {
    const slow = readBody(bodyOf(["a"], false), 3, 5);
    await expect(slow).rejects.toMatchObject({ code: "request_timeout" });
  });
});

test("a query is read by the schema: numbers, booleans, lists and text", () => {
  const schema = {
    properties: {
      limit: { type: "integer" },
      all: { type: "boolean" },
      tags: { type: "array" },
      run_id: { type: "string" },
    },
  };
  const read = (query: string) => requestFrom(new URLSearchParams(query), schema);
  expect(read("limit=5&all=true&tags=a&tags=b&run_id=17&other=1")).toEqual({
    ...{ limit: 5, all: true, tags: ["a", "b"], run_id: "17", other: "1" },
  });
  expect(read("limit=five&all=1")).toEqual({ limit: "five", all: "1" });
  expect(() => read("run_id=a&run_id=b")).toThrow("twice");
  expect(Object.getPrototypeOf(read("__proto__=x"))).toBe(Object.prototype);
});

describe("where no token is needed", () => {
  const local = { host: "127.0.0.1", origins: ["https://pages.test"] };
  test.each([
    [undefined, "localhost:9109"],
    [undefined, "[::1]:9109"],
    [undefined, undefined],
    ["http://127.0.0.1:9109", "127.0.0.1:9109"],
    ["https://pages.test", "127.0.0.1:9109"],
  ])("origin %s may ask host %s", (origin, host) => {
    requireKnownOrigin({ origin, host }, local);
  });

  test.each([
    ["https://evil.test", "127.0.0.1:9109"],
    ["null", "127.0.0.1:9109"],
    ["http://evil.test:9109", "evil.test:9109"],
    [undefined, "evil.test:9109"],
    [undefined, "127.0.0.1.evil.test"],
  ])("origin %s may not ask host %s", (origin, host) => {
    expect(() => requireKnownOrigin({ origin, host }, local)).toThrow();
  });
});

test("every endpoint names a right, and only those of the fleet are for all tenants at once", () => {
  for (const { name, may, fleet } of endpointsOf(concerns)) {
    expect(everyRight.has(may), name).toBe(true);
    const isOfAll = /^(health|stats|deadletters|missions-tick$|counts-rebuild$|fleet-health$)/.test(
      name,
    );
    expect(fleet ?? false, name).toBe(isOfAll);
  }
});
