import { existsSync, readFileSync } from "node:fs";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { normaliseErrorClass } from "../../../src/handlers/extractor/rules/error-class/normalise.ts";

/** Collections beside the repository, where they are there; the repository has its own. */
const beside = (name: string) => new URL(`../../../../shared/data/${name}`, import.meta.url);
const least = 0.95;

interface Pair {
  readonly same?: readonly [string, string];
  readonly different?: readonly [string, string];
}

const pairsIn = (file: URL): Pair[] =>
  readFileSync(file, "utf8")
    .trim()
    .split("\n")
    .map((line) => JSON.parse(line) as Pair);

/** The share of pairs that come out as they should, and those that do not. */
function judged(pairs: readonly Pair[], kind: "same" | "different") {
  const some = pairs.flatMap((pair) => (pair[kind] ? [pair[kind]] : []));
  const wrong = some.filter(([one, other]) => {
    const alike = normaliseErrorClass(one) === normaliseErrorClass(other);
    return alike !== (kind === "same");
  });
  return { count: some.length, rate: 1 - wrong.length / some.length, wrong };
}

describe("of pairs of errors", () => {
  const own = pairsIn(new URL("error-class-pairs.jsonl", import.meta.url));

  test.each(["same", "different"] as const)("all of ours come out the %s", (kind) => {
    expect(judged(own, kind).count).toBeGreaterThan(60);
    expect(judged(own, kind).wrong).toEqual([]);
  });

  // As providers, databases, compilers and networks write them; the rules were mended by these pairs, so they keep what was reached.
  test.each(["same", "different"] as const)("nearly all real ones come out the %s", (kind) => {
    const { rate, count, wrong } = judged(
      pairsIn(new URL("error-class-real.jsonl", import.meta.url)),
      kind,
    );
    expect(count).toBeGreaterThan(100);
    expect(rate, JSON.stringify(wrong)).toBeGreaterThanOrEqual(least);
  });

  test.skipIf(!existsSync(beside("error-classes.jsonl")))(
    "nearly all of the collection beside the repository come out right",
    () => {
      const others = pairsIn(beside("error-classes.jsonl"));
      for (const kind of ["same", "different"] as const) {
        const { rate, count, wrong } = judged(others, kind);
        console.log(`${kind}: ${(rate * 100).toFixed(1)} % of ${count} pairs`);
        expect(rate, JSON.stringify(wrong)).toBeGreaterThanOrEqual(least);
      }
    },
  );
});

test.skipIf(!existsSync(beside("python-tracebacks.json")))(
  "nearly all tracebacks of the collection beside the repository keep their exception's name",
  () => {
    const text = readFileSync(beside("python-tracebacks.json"), "utf8");
    const rows = JSON.parse(text) as [run: string, last: string, text: string][];
    const kept = rows.filter(([, last, traceback]) =>
      normaliseErrorClass(traceback).startsWith(last.split(":")[0] ?? last),
    );
    console.log(`${kept.length} of ${rows.length} tracebacks keep the name of their exception`);
    expect(kept.length / rows.length).toBeGreaterThanOrEqual(least);
  },
);

describe("a normalised error class", () => {
  test.each([
    ["order 8f14e45f-ceea-467f-a8f5-6f2a3b1c9d10 gone", "order <id> gone"],
    ["ORDER 8F14E45F-CEEA-467F-A8F5-6F2A3B1C9D10 gone", "order <id> gone"],
    ["at 0xDEADbeef", "at <id>"],
    ["commit 9fceb02d0ae598e95dc970b74767f19372d61af8", "commit <id>"],
    ["trace 1234567890123456", "trace <n>"],
    ["mail jane.doe+x@mail.example.org bounced", "mail <id> bounced"],
    ["took 12.5 s, 1,000 of 3", "took <duration>, <n> of <n>"],
    ['no "blue shoes" left', "no <s> left"],
    ["no 'blue shoes' left", "no <s> left"],
    ["no `blue shoes` left", "no <s> left"],
    ["white \t\n  space ", "white"],
    ["can't find user's 'cart 12'", "can't find user's <s>"],
    ["don't, won't, can't", "don't, won't, can't"],
    ["deadbeef, facade and decade", "deadbeef, facade and decade"],
    ["http_503", "http_503"],
    ["http_503 from 10.0.0.7", "http_503 from <host>"],
    ["RateLimitError", "rate_limit_error"],
    ["rate_limit_error: slow down", "RateLimitError: slow down"],
    [
      "ModuleNotFoundError: No module named 'psycopg2'",
      "ModuleNotFoundError: no module named psycopg2",
    ],
    ["bash: line 1: pytest: command not found", "pytest: command not found"],
    ["/usr/bin/python3.11: No module named pip", "python: no module named pip"],
    [
      '        raise RuntimeError("Python 3.8 is required")',
      "RuntimeError: python <n> is required",
    ],
    ["        except Exception as exc:", "unknown"],
    ["==== ERRORS ====", "errors"],
    ["collected 3 items / 2 errors", "errors"],
    ["===== 1 error in 0.12s =====", "errors"],
    [
      "IndentationError: expected an indented block after 'if' statement on line 3",
      "IndentationError: expected an indented block",
    ],
    ["", "unknown"],
    ["  \n ", "unknown"],
    ["Unknown", "unknown"],
  ])("%j is %j", (text, normalised) => {
    expect(normaliseErrorClass(text)).toBe(normalised);
  });

  test.each([
    [
      "an error body's type, code and status, then its message",
      '{"error":{"message":"No such model: m-1","type":"invalid_request_error","code":"model_not_found"},"status":404}',
      "invalid_request_error model_not_found http_404: no such model: <id>",
    ],
    [
      "an error body that was cut off, as Python prints it, behind a status",
      "Error code: 429 - {'error': {'message': 'Slow down', 'type': 'requests', 'code': 'rate_limit_exc",
      "http_429 - requests rate_limit_exc: slow down",
    ],
    [
      "the last of chained Python exceptions",
      'Traceback (most recent call last):\n  File "a.py", line 3\n    f()\nKeyError: \'x\'\n\nDuring handling of the above exception, another exception occurred:\n\nTraceback (most recent call last):\n  File "b.py", line 9\n    g()\napp.errors.OrderGone: order 17 is gone\nbye',
      "app.errors.OrderGone: order <n> is gone",
    ],
    [
      "the cause of a Java exception",
      'Exception in thread "main" a.Failed: 1\n\tat b.C.d(C.java:1)\nCaused by: java.sql.SQLException: No suitable driver\n\tat e.F.g(F.java:2)',
      "java.sql.SQLException: no suitable driver",
    ],
    [
      "the exception above the frames of JavaScript",
      "/app/x.js:3\n  throw new TypeError('x')\n  ^\n\nTypeError: x is not iterable\n    at f (/app/x.js:3:9)\n\nNode.js v22.1.0",
      "TypeError: x is not iterable",
    ],
    [
      "what a failing test of pytest says",
      "=== FAILURES ===\n____ test_a ____\n    def test_a():\n>       assert f() == 2\nE       assert 1 == 2\nE        +  where 1 = f()\n\ntest_a.py:3: AssertionError\n=== 1 failed in 0.1s ===",
      "assert <n> == <n>",
    ],
    [
      "the first error of a compiler",
      "Compiling…\nsrc/a.ts(3,5): error TS2322: Type 'A' is not assignable to type 'B'.\nsrc/b.ts(4,1): error TS1005: ';' expected.",
      "error TS2322: type <s> is not assignable to type <s>",
    ],
    [
      "what a shell's command said, not how the shell ended",
      "Command failed with exit code 1:\n+ ls /x\nls: cannot access '/x': No such file or directory",
      "ls: cannot access <s>: no such file or directory",
    ],
  ])("of output is %s", (_, text, normalised) => {
    expect(normaliseErrorClass(text)).toBe(normalised);
    expect(normaliseErrorClass(text.replaceAll("\n", "\\n"))).toBe(normalised);
  });

  test("is the last exception of a text of any length", () => {
    const frames =
      '  File "/srv/app/handlers/orders.py", line 12, in handle\n    return act(order)\n';
    for (const repeats of [1, 100, 3_000]) {
      const text = `Traceback (most recent call last):\n${frames.repeat(repeats)}app.OrderGone: no`;
      expect(normaliseErrorClass(text)).toBe("app.OrderGone: no");
    }
  });

  test("is not cut inside a word, and keeps what the text says to do", () => {
    const text = `File content exceeds what can be read at once${", and so on".repeat(30)}. Please use offset and limit parameters to read portions of the file.`;
    const normalised = normaliseErrorClass(text);
    expect(normalised.length).toBeLessThanOrEqual(200);
    expect(normalised).toMatch(
      /^file content exceeds .* (?:and|so|on,?) \.\. please use offset and limit parameters/,
    );
    expect(text.toLowerCase()).toContain(` ${normalised.split(" ").at(-1)}`);
  });

  test("has at most 200 characters", () => {
    expect(normaliseErrorClass("x".repeat(8_192))).toBe("x".repeat(200));
  });

  test("never ends in half a surrogate pair", () => {
    expect(normaliseErrorClass(`${"é".repeat(199)}😀`)).toBe("é".repeat(199));
  });

  const fragment = fc.constantFrom(
    ..."a 1 ' \" ` - _ @ . , : < > / \\ \\n { } 0x 😀 can't 'x' \"y\" deadbeef1 12 a@b.cd http_503 Error: KeyError: exit code 3 No module named x".split(
      " ",
    ),
    ...[
      " ",
      "\n",
      '{"error":',
      "  at f (",
      "Traceback (most recent call last):\n",
      '  File "x", line 2\n',
    ],
  );
  const texts = fc.oneof(
    fc.string({ unit: "binary" }),
    fc.array(fragment, { maxLength: 120, size: "max" }).map((parts) => parts.join("")),
  );

  test("is well-formed, short, and not empty, whatever the text", () => {
    fc.assert(
      fc.property(texts, (text) => {
        const normalised = normaliseErrorClass(text);
        expect(normalised.length).toBeGreaterThan(0);
        expect(normalised.length).toBeLessThanOrEqual(200);
        expect(normalised.isWellFormed()).toBe(true);
        expect(normalised).not.toMatch(/[\n\ue000-\uf8ff]/);
      }),
      { numRuns: 2_000 },
    );
  });

  test("takes no time worth mentioning, whatever the text", () => {
    const hostile = [
      ...'\' " a@ a.b- 0x 1, f0 x@y. a- a/ / \\ : :: 1: <path> a_ A1 {" (1 1.1. -- \\n'.split(" "),
      ...[
        " ",
        "\n",
        "\n ",
        "a ",
        "error ",
        'File "',
        "at f (",
        "no such ",
        "E  ",
        '{"type":"',
        "\u001b[",
        ..."0 A É // - CN=a, a1_".split(" "),
        ...'//a[ //*[@ C=a, a-1: xpath= 1:1 level=msg="'.split(" "),
        ...[
          "1 234 ",
          "user A ",
          "Agent Ab ",
          "a: b_error ",
          "Jan 1 ",
          "[ 1.1",
          "from ",
          "Bucket (",
        ],
        ...["[cause]: x\n", "1 validation error for X\n", "FAILED a.py ", "token 1:1 ", "<n> as "],
      ],
    ];
    for (const part of hostile) {
      const text = part.repeat(Math.ceil(200_000 / part.length));
      const before = process.cpuUsage();
      normaliseErrorClass(text);
      normaliseErrorClass(`${text}!`);
      // A text of twice the length takes a few milliseconds; one regular expression that backtracks takes minutes.
      expect(process.cpuUsage(before).user / 1e6, JSON.stringify(part)).toBeLessThan(3);
    }
  });
});
