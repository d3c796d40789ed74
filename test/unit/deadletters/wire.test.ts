import { describe, expect, test } from "vitest";
import { purgeFilterFrom, replayFilterFrom } from "../../../src/handlers/deadletters/wire.ts";

describe("what is to be replayed", () => {
  test("is never what has been replayed", () => {
    expect(replayFilterFrom({ stream: "SIGNALS" }).replayed).toBe(false);
    expect(replayFilterFrom({ id: 7 }).replayed).toBe(false);
  });

  test("is all of them only where the request says so", () => {
    expect(() => replayFilterFrom({})).toThrow('or all of them with "all": true');
    expect(() => replayFilterFrom({ all: false })).toThrow('or all of them with "all": true');
    expect(replayFilterFrom({ all: true })).toMatchObject({ stream: undefined, replayed: false });
  });

  test("is one letter or those of a filter, not both", () => {
    expect(() => replayFilterFrom({ id: 7, durable: "d" })).toThrow("not both");
  });
});

describe("what is to be purged", () => {
  test("may be narrowed to what has been replayed", () => {
    expect(purgeFilterFrom({ replayed: true }).replayed).toBe(true);
  });

  test("is never all of them", () => {
    expect(() => purgeFilterFrom({})).toThrow("name an id or a filter of what is to be purged");
  });

  test("is one letter or those of a filter, not both", () => {
    expect(() => purgeFilterFrom({ id: "7", replayed: false })).toThrow("not both");
  });
});
