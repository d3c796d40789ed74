import { gzipSync } from "node:zlib";
import fc from "fast-check";
import { expect, test } from "vitest";
import { textOf } from "../../../src/cli/event-text.ts";
import { eventsIn } from "../../../src/cli/events-in.ts";

const limitBytes = 1_000;

async function* inPieces(bytes: Uint8Array, size: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

async function read(input: Uint8Array | string, size = 7) {
  const bytes = typeof input === "string" ? Buffer.from(input) : input;
  const lines = [];
  for await (const line of eventsIn(textOf(inPieces(bytes, size)), limitBytes)) lines.push(line);
  return lines;
}

const parsed = async (input: Uint8Array | string, size?: number): Promise<unknown[]> =>
  (await read(input, size)).map(({ bytes }) => JSON.parse(Buffer.from(bytes ?? []).toString()));

const mark = "\ufeff";
const utf16be = (text: string) => Buffer.from(text, "utf16le").swap16();
type Events = readonly object[];
const jsonl = (events: Events) => events.map((one) => `${JSON.stringify(one)}\n`).join("");
const pretty = (events: Events) =>
  events.map((one) => `${JSON.stringify(one, null, 2)}\r\n`).join("");

/** How people write a list of events. */
const forms: Readonly<Record<string, (events: Events) => string | Buffer>> = {
  lines: jsonl,
  "lines with a mark": (events) => mark + jsonl(events),
  "an array": (events) => JSON.stringify(events),
  "an array over lines": (events) => `${mark}\n ${JSON.stringify(events, null, "\t")}\n`,
  "an array with an event a line": (events) =>
    `[\n${events.map((one) => JSON.stringify(one)).join(",\n")}\n]`,
  "an array a line": (events) => events.map((one) => `${JSON.stringify([one])}\n`).join(""),
  "objects over lines": pretty,
  gzip: (events) => gzipSync(jsonl(events)),
  "several parts of gzip": (events) => Buffer.concat(events.map((one) => gzipSync(jsonl([one])))),
  "gzip of an array in UTF-16": (events) =>
    gzipSync(Buffer.from(mark + JSON.stringify(events), "utf16le")),
  "UTF-16": (events) => Buffer.from(mark + jsonl(events), "utf16le"),
  "UTF-16, the other way round": (events) => utf16be(mark + pretty(events)),
  "UTF-16 without a mark": (events) => Buffer.from(jsonl(events), "utf16le"),
  "UTF-16, the other way round, without a mark": (events) => utf16be(JSON.stringify(events)),
};

const event = fc.record({
  event_id: fc.string({ unit: "binary", maxLength: 9 }),
  result: fc.record({ ok: fc.boolean(), error_class: fc.constantFrom('"]}', "\\", "[{", "é,😀") }),
  list: fc.array(fc.integer(), { maxLength: 3 }),
});

test.each(Object.keys(forms))("%s: the events are those that were written", async (name) => {
  const events = fc.array(event, { minLength: 1, maxLength: 5 });
  await fc.assert(
    fc.asyncProperty(events, fc.integer({ min: 1, max: 400 }), async (written, size) => {
      const file = forms[name]?.(written) ?? "";
      expect(await parsed(file, size)).toEqual(JSON.parse(JSON.stringify(written)));
    }),
    { numRuns: 60 },
  );
});

test("a bad line among lines spoils no other", async () => {
  const lines = await read('{"a":1}\n{"b":\n{"c":"x\n{"d":1}\n[1]\n');
  expect(lines.map(({ bytes }) => Buffer.from(bytes ?? []).toString())).toEqual([
    '{"a":1}',
    '{"b":',
    '{"c":"x',
    '{"d":1}',
    "[1]",
  ]);
  expect(lines.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5]);
});

test("what is no event in an array is an element by itself, with the number of its line", async () => {
  const lines = await read('[{"a":1},\n 7, "x,]", null,\n}, {"b":2}, {"c":');
  const texts = lines.map(({ number, ordinal, bytes }) => [
    ...[number, ordinal],
    Buffer.from(bytes ?? []).toString(),
  ]);
  expect(texts).toEqual([
    [1, 1, '{"a":1}'],
    [2, 2, "7"],
    [2, 3, '"x,]"'],
    [2, 4, "null"],
    [3, 5, "}"],
    [3, 6, '{"b":2}'],
    [3, 7, '{"c":'],
  ]);
});

test("of an event that is too long nothing is held, and the next one is read", async () => {
  const long = JSON.stringify({ text: "x".repeat(limitBytes) });
  for (const text of [`{}\n${long}\n{}`, `[{},${long},{}]`]) {
    expect((await read(text)).map(({ bytes }) => bytes?.length ?? null)).toEqual([2, null, 2]);
  }
});

test.each([
  [[0x28, 0xb5, 0x2f, 0xfd, 0x24], "the input is compressed with zstd: unpack it first: zstd -dc"],
  [[0x50, 0x4b, 0x03, 0x04, 0x14], "the input is a zip archive: unpack it first: unzip -p"],
  [[0xff, 0xfe, 0x00, 0x00, 0x7b], /in UTF-32: write it in UTF-8/],
  [[0x1f, 0x8b, 0x08, 0x00, 0x01], /the gzip input is damaged: unexpected end of file/],
  [[...gzipSync("{}\n").subarray(0, 15), 1, 2, 3, 4, 5, 6, 7, 8], /the gzip input is damaged: /],
])("%j is no text: what it is and the way out are said", async (start, text) => {
  await expect(read(Uint8Array.from(start))).rejects.toMatchObject({
    code: "bad_request",
    message: typeof text === "string" ? text : expect.stringMatching(text),
  });
});

test("nothing at all is no event", async () => {
  for (const text of ["", "\n \n", mark, "[]", "[\n]\n"]) expect(await read(text)).toEqual([]);
});
