import { expect, test } from "vitest";
import {
  type CurateAction,
  curationOf,
  notCurated,
} from "../../../src/handlers/lessons/curation.ts";

const of = (...actions: [CurateAction, (number | null)?][]) =>
  curationOf(actions.map(([action, until = null], at) => ({ action, until, by: "Ada", at })));

test("of each kind the newest decision counts", () => {
  expect(of(["silence"], ["restore"])).toEqual(notCurated);
  expect(of(["restore"], ["silence"]).silencedUntil).toBe(Number.POSITIVE_INFINITY);
  expect(of(["silence", 5], ["silence", 7], ["pin"]).silencedUntil).toBe(7);
  expect(of(["pin"], ["unpin"])).toEqual(notCurated);
  expect(of(["expire", 9], ["restore"])).toEqual(notCurated);
  expect(of(["note"], ["expire"]).expiresAt).toBe(1);
  expect(of(["approve_text"], ["restore"]).approvedBy).toBe("Ada");
});
