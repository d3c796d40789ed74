import fc from "fast-check";
import { Compile } from "typebox/compile";
import { expect, test } from "vitest";
import { experienceEventSchema } from "../../../src/handlers/extractor/wire.ts";
import { knownShapes } from "../../../src/schema/json-shapes.ts";

const check = Compile(experienceEventSchema);
const bytes = (text: string) => new TextEncoder().encode(text);
const odd = ["", "x".repeat(129), "Jürgen", "a\\b", 'a"b', "\u0000", "\ud800"];
const word = fc.oneof(
  { weight: 30, arbitrary: fc.stringMatching(/^[ !#-[\]-~]{1,20}$/) },
  { weight: 1, arbitrary: fc.constantFrom(...odd) },
);
const number = fc.oneof(
  { weight: 8, arbitrary: fc.nat(10_000) },
  { weight: 4, arbitrary: fc.double({ noNaN: true, min: 0, max: 1e6 }) },
  { weight: 1, arbitrary: fc.constantFrom(0, -1, 1.5, 1e21, 2 ** 53, 123456789012345.6, 0.1) },
);
const anything = fc.oneof(
  ...[word, number, fc.boolean(), fc.constant(null)],
  fc.array(fc.oneof(word, number), { maxLength: 3 }),
);
const optional = (fields: Record<string, fc.Arbitrary<unknown>>) =>
  fc.record(fields, { requiredKeys: [] });
const result = optional({ error_class: word, http_status: fc.nat(600), silent: fc.boolean() });
const event = fc
  .tuple(
    fc.tuple(result, fc.boolean()).map(([result, ok]) => ({ result: { ok, ...result } })),
    optional({ event_id: word, agent_id: word, ts: fc.oneof(word, number), other: anything }),
    optional({ tool: optional({ name: word, latency_ms: number }) }),
    optional({ llm: optional({ model: word, tokens_in: number, of: anything }) }),
    optional({ feedback: fc.record({ user_signal: fc.constantFrom("none", "retry") }) }),
    optional({ extra: optional({ a: anything, b: word }) }),
  )
  .map((parts) => Object.assign({}, ...parts) as Record<string, unknown>);

/** The same fields with other texts and numbers in them. */
function again(value: unknown, next: (max: number) => number): unknown {
  const text = ["a", "another text", "none", "retry", "never", "1", ...odd][next(30)];
  if (typeof value === "string") return text ?? `text ${next(1_000)}`;
  if (typeof value === "number") return [0, -1, 1.25, 1e21, 5e-7][next(20)] ?? next(100_000);
  if (Array.isArray(value)) return value.map((item) => again(item, next));
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, again(item, next)]));
}

const spaced = fc.constantFrom(undefined, 1, "\t", "  \n");

/** What the schema knows of a value. */
function knownOf(value: unknown): unknown {
  const { other: _o, extra: _e, ...event } = value as Record<string, unknown>;
  if (typeof event["llm"] === "object") event["llm"] = { ...event["llm"], of: undefined };
  return event;
}

test("what is read without parsing is what parsing would give, and passes the schema's check", () => {
  let read = 0;
  const picks = fc.infiniteStream(fc.nat());
  fc.assert(
    fc.property(
      fc.array(event, { minLength: 1, maxLength: 4 }),
      spaced,
      picks,
      (events, space, picks) => {
        const shapes = knownShapes<object>(experienceEventSchema);
        const next = (max: number) => (picks.next().value ?? 0) % max;
        const text = (value: unknown) => JSON.stringify(value, null, space);
        for (const one of events) if (check.Check(one)) shapes.learn(bytes(text(one)));
        const like = events.flatMap((one) => [one, again(one, next), again(one, next)]).map(text);
        for (const one of [...like, ...like.map((some) => broken(some, next))]) {
          const found = shapes.read(bytes(one));
          if (found === null) continue;
          read += 1;
          const parsed: unknown = JSON.parse(one);
          expect(knownOf(found)).toEqual(knownOf(parsed));
          expect(check.Check(parsed)).toBe(true);
        }
      },
    ),
    { numRuns: 2_000 },
  );
  expect(read).toBeGreaterThan(4_000);
});

/** With some characters left out and others put in, somewhere. */
function broken(text: string, next: (max: number) => number): string {
  const put = [
    '"',
    "\\",
    "\n",
    "0",
    "9",
    "-",
    ".",
    "e",
    ",",
    "}",
    "{",
    ":",
    "\u0000",
    "\u007f",
    "é",
    " ",
  ];
  const at = next(text.length);
  const from = next(text.length);
  const by = next(2) === 0 ? put[next(put.length)] : text.slice(from, from + next(6));
  return text.slice(0, at) + by + text.slice(at + next(3));
}

const usual = (id: string, rest = "") =>
  `{"event_id":"${id}","ts":"2026-12-08T01:02:03Z","result":{"ok":false,"http_status":503}${rest}}`;

test("a text of a shape that was learned is read, one of another shape is not", () => {
  const shapes = knownShapes<{ event_id: string }>(experienceEventSchema);
  expect(shapes.read(bytes(usual("a")))).toBeNull();
  shapes.learn(bytes(usual("a")));
  expect(shapes.read(bytes(usual("another")))?.event_id).toBe("another");
  expect(shapes.read(bytes(usual("b", ',"more":1')))).toBeNull();
  expect(shapes.read(bytes(usual("b\n")))).toBeNull();
  expect(shapes.read(bytes(usual("x".repeat(129))))).toBeNull();
  expect(shapes.read(bytes(usual("é")))).toBeNull();
});

test("a text in which a name comes twice is never learned", () => {
  const shapes = knownShapes<object>(experienceEventSchema);
  const twice = usual("a", ',"result":{"ok":true}');
  shapes.learn(bytes(twice));
  expect(shapes.read(bytes(twice))).toBeNull();
});

test("where every text has a shape of its own, learning ends, and shapes that come again are learned later", () => {
  const shapes = knownShapes<object>(experienceEventSchema);
  for (let i = 0; i < 10_000; i++) {
    const text = bytes(usual("a", `,"field_${i}":1`));
    expect(shapes.read(text)).toBeNull();
    shapes.learn(text);
  }
  const known = bytes(usual("b", ',"field_3":1'));
  const found = Array.from({ length: 10_000 }, () => shapes.read(known) !== null);
  expect(found.filter(Boolean).length).toBeGreaterThan(8_000);
});
