import fc from "fast-check";
import { expect, test } from "vitest";
import { holderOfSession, sessionFor } from "../../../src/http/session.ts";
import { everyRight, hashOf, type KnownToken } from "../../../src/http/tokens.ts";

const known = (name: string, token: string): KnownToken => ({
  ...{ name, tenantId: "acme", may: everyRight, sha256: hashOf(token) },
});
const reader = known("reader", "secret");
const now = 1_800_000_000_000;

test("a session is of whoever signed in, on any replica with the same tokens, for twelve hours", () => {
  const { value, until } = sessionFor(reader, "secret", now);
  expect(until).toBe(now + 12 * 3_600_000);
  const elsewhere = [known("other", "x"), known("reader", "secret")];
  expect(holderOfSession(value, elsewhere, until - 1).name).toBe("reader");
  expect(() => holderOfSession(value, elsewhere, until)).toThrow("this session is over");
});

test("a session ends with its token, and when the token's name gets another one", () => {
  const { value } = sessionFor(reader, "secret", now);
  for (const tokens of [[], [known("other", "secret")], [known("reader", "another")]]) {
    expect(() => holderOfSession(value, tokens, now)).toThrow("this session is over");
  }
});

test("whoever knows the hash of a token, and not the token, can make no session", () => {
  const { value } = sessionFor(reader, "a guess", now);
  expect(() => holderOfSession(value, [reader], now)).toThrow("this session is over");
});

test("a cookie does not show the token", () => {
  const { value } = sessionFor(
    known("reader", "a long and secret token"),
    "a long and secret token",
  );
  for (const part of value.split(".")) {
    expect(Buffer.from(part, "base64url").toString("latin1")).not.toContain("secret");
  }
});

test("what is changed anywhere, or made up, is no session", () => {
  const { value } = sessionFor(reader, "secret", now);
  const isRefused = (text: string) => {
    expect(() => holderOfSession(text, [reader], now)).toThrow("this session is over");
  };
  fc.assert(
    fc.property(fc.nat(value.length - 1), fc.constantFrom("A", "z", "_", "."), (at, put) => {
      const changed = value.slice(0, at) + put + value.slice(at + 1);
      // The last character of base64 may have bits that say nothing.
      const isSame = changed
        .split(".")
        .every((part, i) =>
          Buffer.from(part, "base64url").equals(
            Buffer.from(value.split(".")[i] ?? "", "base64url"),
          ),
        );
      if (!isSame) isRefused(changed);
    }),
  );
  fc.assert(fc.property(fc.string(), isRefused));
});
