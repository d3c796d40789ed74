import { expect, test } from "vitest";
import { apiPath } from "../../src/http/api.ts";
import { sampleOf } from "./sample.ts";
import { ask, endpoints, fill, startWithTokens } from "./tenants.ts";

/** What differs from one answer to the next, whoever asks. */
const varying =
  /\d{4}-\d\d-\d\dT[\d:.]+Z|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}|"retry_after":\d+/g;

test("a token of another tenant cannot tell ids that this one has from ids that nobody has", async () => {
  const { stack, service } = await startWithTokens();
  await fill(stack, service);
  const { sql } = stack.database;
  const [lesson] = await sql<{ key: string }[]>`
    SELECT lesson_key AS key FROM agent_lessons WHERE tenant_id = 'acme'`;
  const key = lesson?.key ?? "";
  const text = (await ask(service, "/api/v1/openapi.json", { method: "GET" })).text;
  const { paths } = JSON.parse(text);
  /** Asks for everything by ids like this one. */
  const asked = (id: string, lessonKey: string) => {
    const named = Object.fromEntries(
      "entry_id run_id user_id agent_id event_id feedback_id mission_id record_id project_key task_type"
        .split(" ")
        .map((name) => [name, id]),
    );
    const more = { lesson_key: lessonKey, user_ids: [id], tenant_id: "acme", limit: 100 };
    return { ...named, ...more, cursor: undefined, since: 0, until: undefined };
  };
  const unknown = key.replaceAll(/./g, (digit) => (digit === "0" ? "1" : "0"));
  const answer = async (token: string, name: string, id: string, lessonKey: string) => {
    const schema = paths[apiPath({ name })].post.requestBody?.content["application/json"].schema;
    const body = sampleOf(schema, asked(id, lessonKey));
    const { status, text: said } = await ask(service, apiPath({ name }), { token, body });
    const plain = said
      .replaceAll(varying, "~")
      .replaceAll(lessonKey, "KEY")
      .replaceAll(token, "TENANT");
    return `${status} ${plain.replaceAll(id, "ID")}`;
  };
  const alike = endpoints.filter(({ fleet }) => !fleet);
  expect(alike.length).toBeGreaterThan(30);
  // Two strangers ask the same in the same order, one of them by ids of acme.
  for (const { name } of alike) {
    for (const length of [64, 8]) {
      const known = await answer("evil", name, "v-1", key.slice(0, length));
      const nobodys = await answer("loki", name, "q-9", unknown.slice(0, length));
      expect([name, known]).toEqual([name, nobodys]);
    }
  }
}, 60_000);
