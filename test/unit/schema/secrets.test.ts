import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { maskSecrets, maskSecretsIn, maskSecretsOfId } from "../../../src/schema/secrets.ts";
import { ordinary, secrets } from "./secrets.ts";

describe("a secret", () => {
  test.each(secrets.map(({ what, text, hidden }) => [what, text, hidden]))(
    "of the shape of %s is masked, wherever it stands",
    (_, text, hidden) => {
      for (const whole of [text, `it failed (${text})`, `error: ${text}\nnext line`, `"${text}"`]) {
        const masked = maskSecrets(whole);
        expect(masked).not.toContain(hidden);
        expect(masked).toContain("<secret>");
        expect(maskSecrets(masked)).toBe(masked);
      }
    },
  );

  test("in an id leaves ids that differ different, and no longer than ids may be", () => {
    const ids = secrets.map(({ text }) => maskSecretsOfId(`call-${text}`.slice(0, 128)));
    expect(new Set(ids).size).toBe(secrets.length);
    for (const [i, id] of ids.entries()) {
      expect(id.length).toBeLessThanOrEqual(128);
      expect(id).not.toContain(secrets[i]?.hidden);
    }
    expect(maskSecretsOfId("call-1")).toBe("call-1");
  });

  test("in a JSON value is masked in each text and key, and by the name of its field", () => {
    for (const { text, hidden } of secrets) {
      const value = { a: [{ b: `x ${text}` }, 1], [text]: null };
      expect(JSON.stringify(maskSecretsIn(value))).not.toContain(
        JSON.stringify(hidden).slice(1, -1),
      );
    }
    expect(maskSecretsIn({ password: "abc", apiKey: 12, token: "a", key: "a" })).toEqual({
      ...{ password: "<secret>", apiKey: "<secret>", token: "a", key: "a" },
    });
  });
});

describe("what is no secret", () => {
  test.each(ordinary)("stays: %j", (text) => {
    expect(maskSecrets(text)).toBe(text);
  });

  test("stays the same object", () => {
    const value = { a: ["timeout", { b: 1 }], c: null };
    expect(maskSecretsIn(value)).toBe(value);
  });

  test("stays, whatever words make up the text", () => {
    const word = fc.stringMatching(/^[a-z]{1,9}$/);
    const texts = fc.array(word, { maxLength: 20 }).map((words) => words.join(" "));
    fc.assert(
      fc.property(texts, (text) => maskSecrets(text) === text),
      { numRuns: 2_000 },
    );
  });
});

test("looking for secrets takes no time worth mentioning, whatever the text", () => {
  const hostile = [
    ...'a a: key= key: token=" eyJ eyJa. sk- sk-a1 x_ _ - 4 4- @ a@ a:b http://a http://a: -----BEGIN bearer AA='.split(
      " ",
    ),
    ...["password ", '\\"token\\":', "cookie: ", "api_key_", "key=key", "--key "],
  ];
  for (const part of hostile) {
    const before = process.cpuUsage();
    maskSecrets(part.repeat(100_000 / part.length));
    // A regular expression that backtracks takes minutes.
    expect(process.cpuUsage(before).user / 1e6, JSON.stringify(part)).toBeLessThan(3);
  }
});
