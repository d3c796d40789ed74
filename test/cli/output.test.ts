import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { createConnection } from "node:net";
import { expect, onTestFinished, test } from "vitest";
import { freshDatabase } from "../rig/database.ts";
import { openStack } from "../rig/service.ts";
import { main } from "./command.ts";

const shell = (line: string, env: Record<string, string> = {}) =>
  spawnSync("bash", ["--norc", "--noprofile", "-c", line], {
    encoding: "utf8",
    env: {
      PATH: process.env["PATH"] ?? "",
      BASH_ENV: "",
      NODE: process.execPath,
      MAIN: main,
      ...env,
    },
  });

test("a slow reader of a pipe gets every byte of a long answer", async () => {
  const database = await freshDatabase();
  onTestFinished(() => database.drop());
  await database.sql`
    INSERT INTO agent_lessons (lesson_key, tenant_id, scope, agent_id, task_type, lesson_type, trigger, action, avoid, signals, evidence, raw)
    SELECT md5(i::text) || md5((i + 1)::text), 'default', 'agent', 'scout', 'web', 'error', repeat('t', 400), '', '', '{}', '{"count":3}', '{}'
    FROM generate_series(1, 600) AS i`;
  const env = { LEARNER_DATABASE_URL: database.url };
  const list = '"$NODE" "$MAIN" lessons ls --json --limit 600';
  const whole = shell(`${list} > "$FILE"; wc -c < "$FILE"; rm "$FILE"`, {
    ...env,
    FILE: `/tmp/experience-bus-output-${process.pid}`,
  });
  const slow = shell(`${list} | (sleep 1; wc -c)`, env);
  expect(Number(whole.stdout)).toBeGreaterThan(200_000);
  expect(Number(slow.stdout)).toBe(Number(whole.stdout));
});

test("output that cannot be written is a failure with a sentence, not with a stack", () => {
  const { status, stderr } = shell('"$NODE" "$MAIN" completion bash > /dev/full');
  expect(status).toBe(1);
  expect(stderr).toBe("experience-bus: the output could not be written\n");
});

test("a reader that has seen enough ends a command without a word", () => {
  const { stderr, status } = shell('"$NODE" "$MAIN" completion bash | true; exit $PIPESTATUS');
  expect([status, stderr]).toEqual([0, ""]);
});

test("a probe of HTTP/1.0 without a host is answered", async () => {
  const stack = await openStack();
  const { httpPort } = await stack.start();
  const socket = createConnection(httpPort, "127.0.0.1");
  let answer = "";
  socket.setEncoding("utf8").on("data", (text) => {
    answer += text;
  });
  socket.write("GET /livez HTTP/1.0\r\n\r\n");
  await once(socket, "close");
  expect(answer.split("\r\n")[0]).toMatch(/^HTTP\/1\.\d 200 OK$/);
});
