import { expect, test } from "vitest";
import { eventually } from "../rig/eventually.ts";
import { openStack, type Stack } from "../rig/service.ts";

/** What is set for a database goes for new sessions, so all that there are end. */
async function setReadOnly({ database: { sql } }: Stack, value: "on" | "off"): Promise<void> {
  const [row] = await sql<{ name: string }[]>`SELECT current_database() AS name`;
  // The session that says it may be one that may not write.
  await sql.begin("READ WRITE", (writing) =>
    writing.unsafe(`ALTER DATABASE ${row?.name} SET default_transaction_read_only = ${value}`),
  );
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()`;
}

test("on a database that takes no writes a replica is not ready, says why, and heals", async () => {
  const stack = await openStack();
  const service = await stack.start();
  await setReadOnly(stack, "on");
  const readiness = async () => {
    const { status, text } = await service.http("/readyz");
    return `${status} ${text}`;
  };
  await eventually(
    async () => (await readiness()) === "503 postgres: PostgreSQL is read-only: a standby?",
  );
  await setReadOnly(stack, "off");
  await eventually(async () => (await readiness()) === "200 ok");
});

test("a durable that is paused is a problem in health", async () => {
  const stack = await openStack();
  const service = await stack.start();
  const { jsm } = stack.broker;
  const [stream, durable] = ["EXPERIENCE", "experience-learner-v1"];
  await jsm.consumers.pause(stream, durable, new Date(Date.now() + 60_000));
  const { status, problems } = await service.health();
  expect(status).not.toBe("ok");
  expect(problems).toContain(`${stream}/${durable}: the durable is paused`);
  await jsm.consumers.resume(stream, durable);
  await eventually(async () => (await service.health()).status === "ok", 10_000);
});
