import { describe, expect, it } from "vitest";
import type { PageRequest } from "../../../src/console/page.ts";
import { runPage } from "../../../src/console/pages/run.tsx";
import { RunEventRow } from "../../../src/console/parts/run-event.tsx";
import { htmlOf } from "../../../src/console/respond.tsx";

const ts = "2026-03-01T10:00:00.000Z";
const eventOf = (cursor: number, data: Record<string, unknown>) => ({
  ...{ run_id: "r", cursor, event_id: `e${cursor}`, type: "step", data, ts },
});

/** How often it was written down. */
function counted(data: Record<string, unknown>) {
  let times = 0;
  const toJSON = () => {
    times += 1;
    return data;
  };
  return { data: { toJSON }, times: () => times };
}

describe("a row of an event", () => {
  it("shows a long one whole over several lines, and of a huge one the beginning", () => {
    const rowOf = (data: Record<string, unknown>) =>
      String(RunEventRow({ event: eventOf(1, data), now: Date.now() }));
    expect(rowOf({ n: 1 })).not.toContain("<pre");
    const text = "W".repeat(300);
    expect(rowOf({ text })).toContain(`{\n  &quot;text&quot;: &quot;${text}&quot;\n}`);
    const huge = counted({ texts: Array.from({ length: 1_000 }, () => text) });
    const row = rowOf(huge.data);
    expect(row).toMatch(/W…\n\n29\d{4} characters more/);
    expect(row.length).toBeLessThan(20_000);
    expect(huge.times()).toBe(1);
  });
});

describe("the page of a run", () => {
  it("asks for few events at once, the newest or those after a cursor", async () => {
    const asked: object[] = [];
    const run = {
      ...{ run_id: "r", agent_id: null, session_id: null, status: "running", question: null },
      ...{ error: null, last_cursor: 1_000, started_at: ts, heartbeat_at: ts, completed_at: null },
    };
    const ask = async (name: string, request: object = {}) => {
      if (name === "runs-get") return run;
      asked.push(request);
      return { events: [eventOf(951, {})] };
    };
    const show = async (query: string) => {
      const request = {
        ...{ ask, find: async () => null, params: { run_id: "r" }, now: Date.now() },
        ...{ query: new URLSearchParams(query), href: (path: string) => path },
      };
      return await htmlOf((await runPage.show(request as unknown as PageRequest)).body);
    };
    expect(await show("")).toContain('data-follow="/live/runs/r?after=951" data-most="200"');
    await show("after=100");
    expect(asked).toEqual([
      { run_id: "r", limit: 50, after: 950 },
      { run_id: "r", limit: 50, after: 100 },
    ]);
  });
});
