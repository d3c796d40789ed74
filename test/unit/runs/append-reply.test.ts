import { expect, test } from "vitest";
import type { RunEvent } from "../../../src/handlers/runs/event.ts";
import { appendReply } from "../../../src/handlers/runs/record.ts";

const eventOf = (eventId: string): RunEvent => ({
  ...{ eventId, tenantId: "default", runId: "r", agentId: null, sessionId: null },
  ...{ cursor: null, type: "step", data: {}, terminalStatus: null, ts: 0, storedAt: 0 },
});

test("a reply says of each event of a request what became of it, by its place there", () => {
  const [stored, twice, refused] = ["a", "b", "c"].map(eventOf) as [RunEvent, RunEvent, RunEvent];
  const invalid = [{ index: 2, reason: "type: must be a string" }];
  const appended = {
    stored: [{ event: stored, cursor: 7 }],
    refused: [{ event: refused, reason: "the run is over" }],
  };
  expect(appendReply([refused, stored, null, twice], invalid, appended)).toEqual({
    ...{ stored: 1, duplicates: 1 },
    invalid: [{ index: 0, reason: "the run is over" }, ...invalid],
    cursors: [null, 7, null, null],
  });
});
