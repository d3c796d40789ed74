import { expect, test } from "vitest";
import { createHandledMessages } from "../../../src/handlers/extractor/handled-messages.ts";
import { plainEvent } from "./events.ts";

const event = { ...plainEvent, eventId: "e1", storedAt: 1 };

test("a message is the same where identity and time of storing are, whatever else was decoded", () => {
  const handled = createHandledMessages();
  handled.add([event]);
  expect(handled.has({ ...event, ts: 5 })).toBe(true);
  expect(handled.has({ ...event, storedAt: 2 })).toBe(false);
  expect(handled.has({ ...event, agentId: "other" })).toBe(false);
  expect(handled.has({ ...event, tenantId: "other" })).toBe(false);
  expect(handled.has(undefined)).toBe(false);
});

test("the oldest are forgotten first", () => {
  const handled = createHandledMessages(2);
  const at = (storedAt: number) => ({ ...event, storedAt });
  handled.add([at(1), at(2), at(3)]);
  expect([1, 2, 3].filter((storedAt) => handled.has(at(storedAt)))).toEqual([2, 3]);
});
