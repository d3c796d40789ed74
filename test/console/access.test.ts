import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { pages } from "../../src/console/pages/index.ts";
import { hashOf } from "../../src/http/tokens.ts";
import { eventually } from "../rig/eventually.ts";
import { openStack, type TestService } from "../rig/service.ts";
import { fillConsole } from "./story.ts";

/** Whoever has the name as token may this. */
const tokens = {
  ops: { tenant_id: "*", may: ["publish", "recall", "read", "review", "admin"] },
  reader: { tenant_id: "default", may: ["read"] },
  stranger: { tenant_id: "evil", may: ["publish", "recall", "read", "review", "admin"] },
  publisher: { tenant_id: "default", may: ["publish"] },
};

function tokensFile() {
  const folder = mkdtempSync(join(tmpdir(), "tokens-"));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "tokens");
  const write = (names: readonly (keyof typeof tokens)[]) => {
    const lines = names.map((name) =>
      JSON.stringify({ name, ...tokens[name], sha256: hashOf(name).toString("hex") }),
    );
    writeFileSync(path, lines.join("\n"));
  };
  write(["ops", "reader", "stranger", "publisher"]);
  return { path, write };
}

interface Answered {
  readonly status: number;
  readonly location: string | null;
  readonly headers: Headers;
  readonly text: string;
}

async function ask(
  { httpPort }: TestService,
  path: string,
  options: RequestInit & { cookie?: string } = {},
): Promise<Answered> {
  const { cookie, headers, ...rest } = options;
  const response = await fetch(`http://127.0.0.1:${httpPort}${path}`, {
    ...{ redirect: "manual", ...rest },
    headers: { ...(cookie !== undefined && { Cookie: cookie }), ...headers },
  });
  return {
    status: response.status,
    location: response.headers.get("location"),
    headers: response.headers,
    text: await response.text(),
  };
}

/** As a browser sends a form from a page of the console itself. */
function post(
  service: TestService,
  path: string,
  fields: Record<string, string>,
  options: { cookie?: string; headers?: Record<string, string> } = {},
) {
  const headers = { "Sec-Fetch-Site": "same-origin", ...options.headers };
  const body = new URLSearchParams(fields);
  return ask(service, path, { ...options, method: "POST", body, headers });
}

async function signIn(service: TestService, token: string): Promise<string> {
  const { status, headers } = await post(service, "/sign-in", { token, form_token: "" });
  expect(status).toBe(303);
  return headers.getSetCookie()[0]?.split(";")[0] ?? "";
}

const formTokenIn = ({ text }: Answered) =>
  /name="form-token" content="([^"]+)"/.exec(text)?.[1] ?? "";

async function start() {
  const file = tokensFile();
  const stack = await openStack();
  const env = { EXPERIENCE_HTTP_TOKENS: file.path };
  const [service, other] = await Promise.all([stack.start(env), stack.start(env)]);
  return { file, stack, service, other };
}

test("one signs in with a token that may read, on all replicas at once, until the token is removed", async () => {
  const { file, service, other } = await start();
  const turnedAway = await ask(service, "/lessons?text=a");
  expect([turnedAway.status, turnedAway.location]).toEqual([
    ...[303, "/sign-in?next=%2Flessons%3Ftext%3Da"],
  ]);
  const unknown = await post(service, "/sign-in", { token: "nobody", form_token: "" });
  expect([unknown.status, unknown.headers.getSetCookie()]).toEqual([401, []]);
  const given = await post(service, "/sign-in", { token: "reader", form_token: "", next: "/runs" });
  expect(given.location).toBe("/runs");
  const [cookie = ""] = given.headers.getSetCookie();
  expect(cookie).toMatch(
    /^experience_session=[^;]+; Path=\/; HttpOnly; SameSite=Strict; Max-Age=43\d{3}$/,
  );
  const session = { cookie: cookie.split(";")[0] ?? "" };
  for (const replica of [service, other]) {
    expect((await ask(replica, "/lessons", session)).status).toBe(200);
  }
  // A session is for pages alone: whoever makes others send it must not reach the API by it.
  expect((await ask(service, "/api/v1/lessons/list", session)).status).toBe(401);
  file.write(["ops"]);
  const isOver = async (replica: TestService) =>
    (await ask(replica, "/lessons", session)).status === 303;
  await eventually(async () => (await isOver(service)) && (await isOver(other)), 10_000);
  const said = JSON.stringify(service.log) + (await service.http("/metrics")).text;
  expect(said).not.toContain(cookie.slice(30, 60));
});

test("over TLS, or where a proxy says so, the cookie goes nowhere else", async () => {
  const { service } = await start();
  const headers = { "X-Forwarded-Proto": "https" };
  const signed = await post(service, "/sign-in", { token: "reader", form_token: "" }, { headers });
  const [cookie = ""] = signed.headers.getSetCookie();
  expect(cookie).toMatch(/^__Host-experience_session=.*; Secure$/);
  const session = { cookie: cookie.split(";")[0] ?? "" };
  expect((await ask(service, "/lessons", { ...session, headers })).status).toBe(200);
  expect((await ask(service, "/lessons", session)).status).toBe(303);
});

test("the way in leads nowhere else", async () => {
  const { service } = await start();
  for (const next of [
    "//evil.test",
    "https://evil.test",
    "/\\evil.test",
    "javascript:alert(1)",
    "",
  ]) {
    const { location } = await post(service, "/sign-in", { token: "reader", form_token: "", next });
    expect([next, location]).toEqual([next, "/"]);
  }
});

/** Every form of every page, as whoever may use it is shown it. */
async function formsOf(service: TestService, cookie: string, paths: readonly string[]) {
  const found: { path: string; fields: Record<string, string> }[] = [];
  for (const path of paths) {
    const { text } = await ask(service, path, { cookie });
    for (const [, form = ""] of text.matchAll(/<form method="post" class="form">(.*?)<\/form>/gs)) {
      const inputs = [...form.matchAll(/<(?:input|textarea)[^>]* name="([^"]+)"[^>]*>/g)];
      const fields = inputs.map(([tag, name = ""]): [string, string] => [
        name,
        / value="([^"]+)"/.exec(tag)?.[1] ?? (name === "until" ? "" : "a text"),
      ]);
      const choices = [...form.matchAll(/<select name="([^"]+)">(.*?)<\/select>/gs)];
      const chosen = choices.map(([, name = "", options = ""]): [string, string] => [
        name,
        /value="([^"]*)" selected/.exec(options)?.[1] ?? "",
      ]);
      found.push({ path, fields: Object.fromEntries([...fields, ...chosen]) });
    }
  }
  return found;
}

test("no form does anything for a reader, for another tenant, from another page or without its session's proof", async () => {
  const { stack, service } = await start();
  await fillConsole(stack, service);
  const { sql } = stack.database;
  const [lesson] = await sql`SELECT lesson_key FROM agent_lessons WHERE agent_id = 'scout'`;
  const paths = [`/lessons/${lesson?.["lesson_key"]}`, "/dead-letters", "/dead-letters/1"];
  paths.push("/review/e0", "/memory");
  const ops = await signIn(service, "ops");
  const forms = await formsOf(service, ops, paths);
  const done = new Set(forms.map(({ fields }) => fields["action"] ?? fields["do"]));
  expect([...done].sort()).toEqual([
    ...[
      "advance",
      "approve_text",
      "expire",
      "judge",
      "note",
      "pin",
      "promote",
      "remove",
      "replay",
      "replay-all",
      "silence",
    ],
  ]);
  const changed = async () => [
    ...(await sql`SELECT * FROM lesson_decisions`),
    ...(await sql`SELECT * FROM review_events WHERE what <> 'created'`),
    ...(await sql`SELECT * FROM memory_feedback`),
    ...(await sql`SELECT * FROM memory_promotions`),
    ...((await sql`SELECT * FROM memory_entries`).length === 1 ? [] : ["forgotten"]),
    ...((await service.health()).checks.dead_letters?.open === 1 ? [] : ["replayed"]),
  ];
  for (const name of ["reader", "stranger", "publisher"] as const) {
    const cookie = await signIn(service, name);
    const form_token = formTokenIn(await ask(service, "/why", { cookie }));
    for (const { path, fields } of forms) {
      const { status, text } = await post(service, path, { ...fields, form_token }, { cookie });
      expect([403, 404], `${name} ${path} ${fields["action"]}: ${text}`).toContain(status);
    }
  }
  const form_token = formTokenIn(await ask(service, "/lessons", { cookie: ops }));
  for (const { path, fields } of forms) {
    const own = { ...fields, form_token };
    for (const [asked, headers] of [
      [{ ...own, form_token: "" }, {}],
      [
        {
          ...own,
          form_token: formTokenIn(
            await ask(service, "/lessons", { cookie: await signIn(service, "ops") }),
          ),
        },
        {},
      ],
      [own, { "Sec-Fetch-Site": "cross-site" }],
      [own, { "Sec-Fetch-Site": "same-site" }],
      [own, { "Sec-Fetch-Site": "none" }],
    ] as const) {
      const { status } = await post(service, path, asked, { cookie: ops, headers });
      expect([path, status]).toEqual([path, 403]);
    }
    // An old browser names the origin alone.
    for (const origin of ["http://evil.test", "null", ""]) {
      const options = { method: "POST", body: new URLSearchParams(own), cookie: ops };
      const { status } = await ask(service, path, { ...options, headers: { Origin: origin } });
      expect([path, origin, status]).toEqual([path, origin, 403]);
    }
    expect((await post(service, path, own)).status).toBe(303);
  }
  expect(await changed()).toEqual([]);
  // The same forms do what they say for whoever may.
  for (const { path, fields } of forms.filter(({ fields: { action } }) => action === "note")) {
    const { status } = await post(service, path, { ...fields, form_token }, { cookie: ops });
    expect(status).toBe(303);
  }
  expect(await changed()).toHaveLength(1);
}, 60_000);

test("a token of another tenant sees nothing of this one on any page, whatever the address says", async () => {
  const { stack, service } = await start();
  await fillConsole(stack, service);
  const [lesson] = await stack.database
    .sql`SELECT lesson_key FROM agent_lessons WHERE agent_id = 'scout'`;
  const cookie = await signIn(service, "stranger");
  const own = await signIn(service, "reader");
  const live = (page: string) => `/live?page=${encodeURIComponent(page)}`;
  for (const path of ["/lessons?tenant=default", "/runs?tenant=default"]) {
    expect((await ask(service, path, { cookie })).text).not.toMatch(/scout|gnirts/);
    expect((await ask(service, path, { cookie: own })).text).toMatch(/scout|gnirts/);
  }
  const hidden = [
    `/lessons/${lesson?.["lesson_key"]}?tenant=default`,
    "/dead-letters",
    "/dead-letters/1",
  ];
  for (const path of hidden) {
    expect([403, 404], path).toContain((await ask(service, path, { cookie })).status);
  }
  const publisher = await signIn(service, "publisher");
  for (const { path } of pages) {
    const { status } = await ask(service, path, { cookie: publisher });
    expect([path, status]).toEqual([path, 403]);
  }
  expect((await ask(service, live("/lessons"), { cookie: publisher })).status).toBe(403);
  expect((await ask(service, live("/dead-letters"), { cookie })).status).toBe(403);
  const many = Array.from({ length: 21 }, (_, n) => `page=${encodeURIComponent(`/runs?n=${n}`)}`);
  expect((await ask(service, `/live?${many.join("&")}`, { cookie })).status).toBe(400);
}, 60_000);

test("in production without a token there is no console, unless it is wanted open", async () => {
  const stack = await openStack();
  const production = { NODE_ENV: "production", LESSON_COIN_KEY: "a coin" };
  const closed = await stack.start({ ...production, EXPERIENCE_PROVISION: "apply" });
  for (const path of ["/", "/sign-in", "/live", ...pages.map(({ path }) => path)]) {
    expect([path, (await ask(closed, path)).status]).toEqual([path, 403]);
  }
  const open = await stack.start({ ...production, EXPERIENCE_HTTP_OPEN: "true" });
  const { status, headers } = await ask(open, "/lessons");
  expect(status).toBe(200);
  expect(headers.get("content-security-policy")).toBe(
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
  );
  expect((await ask(open, "/sign-in")).location).toBe("/");
});

test("an event that nests without end is refused in words", async () => {
  const stack = await openStack();
  const service = await stack.start({ EXPERIENCE_CONCERNS: "console" });
  const depth = 20_000;
  const event = `{"agent_id":${"[".repeat(depth)}${"]".repeat(depth)}}`;
  const { status, text } = await post(service, "/why", { do: "explain", event, form_token: "" });
  expect([status, text]).toEqual([400, expect.stringContaining("nests deeper than 16 levels")]);
  expect(service.log.filter(({ level }) => level >= 50)).toEqual([]);
});

test("where no token is needed, a page of elsewhere can send no form", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const fields = { do: "explain", event: "{}", form_token: "" };
  const from = (headers: Record<string, string>) => post(service, "/why", fields, { headers });
  for (const site of ["cross-site", "same-site", "none"]) {
    expect([site, (await from({ "Sec-Fetch-Site": site })).status]).toEqual([site, 403]);
  }
  expect((await from({ Origin: "http://evil.test" })).status).toBe(403);
  expect((await from({})).status).toBe(400);
});
