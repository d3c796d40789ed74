import { DrizzleQueryError } from "drizzle-orm";
import postgres from "postgres";
import { describe, expect, test } from "vitest";
import { BusError } from "../../src/errors.ts";
import { translate } from "../../src/postgres/errors.ts";

const serverError = (code: string, fields: object = {}) =>
  Object.assign(Object.create(postgres.PostgresError.prototype), { code, ...fields });
const driverError = (code: string) => Object.assign(new Error("lost"), { code });

const away = "08006 28P01 28000 40001 40P01 53300 57P01 57P03 57014 58030 3D000 42501 42P01 25006";
test.each(away.split(" "))("SQLSTATE %s is an outage", (code) => {
  expect(translate(serverError(code))).toMatchObject({ code: "unavailable" });
});

test("what ends the session is an outage, whatever its SQLSTATE", () => {
  const closed = serverError("55000", { severity: "FATAL" });
  expect(translate(closed)).toMatchObject({ code: "unavailable" });
});

test.each("22003 22P05 23502 23505 54000".split(" "))("SQLSTATE %s is refused data", (code) => {
  expect(translate(serverError(code))).toMatchObject({ code: "bad_request" });
});

const lost =
  "ECONNREFUSED ECONNRESET EPIPE ETIMEDOUT ENOTFOUND EAI_AGAIN CONNECTION_CLOSED CONNECTION_ENDED " +
  "CONNECTION_DESTROYED CONNECT_TIMEOUT CERT_HAS_EXPIRED DEPTH_ZERO_SELF_SIGNED_CERT " +
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE ERR_TLS_CERT_ALTNAME_INVALID";
test.each(lost.split(" "))("the driver's %s is an outage", (code) => {
  expect(translate(driverError(code))).toMatchObject({ code: "unavailable" });
});

test("a failed system call is an outage, whatever its code", () => {
  const error = Object.assign(new Error("connect"), { code: "EHOSTUNREACH", syscall: "connect" });
  expect(translate(error)).toMatchObject({ code: "unavailable", cause: error });
});

describe("a bug stays as it is", () => {
  const bugs = [new TypeError("x is not a function"), serverError("42601"), serverError("55000")];
  test.each(bugs)("%o", (bug) => {
    expect(translate(bug)).toBe(bug);
  });
});

test("an error that is translated already stays as it is", () => {
  const error = new BusError("timeout", "late");
  expect(translate(error)).toBe(error);
});

test("drizzle's list of parameters is not passed on", () => {
  const wrapped = (cause: Error) => new DrizzleQueryError("SELECT $1", ["secret"], cause);
  expect(`${translate(wrapped(driverError("ECONNRESET")))}`).not.toContain("secret");
  const bug = new TypeError("broken");
  expect(translate(wrapped(bug))).toBe(bug);
});

test("refused data is described by its column and constraint, never by its value", () => {
  const error = translate(
    serverError("23505", {
      message: 'duplicate key value: "secret"',
      detail: "Key (lesson_key)=(secret) already exists.",
      table_name: "agent_lessons",
      constraint_name: "agent_lessons_lesson_key_unique",
    }),
  );
  expect(error).toEqual(
    new BusError(
      "bad_request",
      "PostgreSQL refused the data: 23505 unique_violation at agent_lessons.agent_lessons_lesson_key_unique",
    ),
  );
});
