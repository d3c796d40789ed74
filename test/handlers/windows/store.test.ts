import { describe, expect, onTestFinished, test } from "vitest";
import type { RunWindow, SignatureWindow } from "../../../src/handlers/windows/count.ts";
import { openWindowStore } from "../../../src/handlers/windows/store.ts";
import { openWideStore, type WideEvidence } from "../../../src/handlers/windows/wide-store.ts";
import { openDatabase, silentLog } from "../../../src/postgres/client.ts";
import { freshDatabase } from "../../rig/database.ts";

const minute = 60_000;
const noon = Date.UTC(2026, 2, 1, 12);

async function open() {
  const fresh = await freshDatabase();
  const database = openDatabase({ url: fresh.url, log: silentLog });
  onTestFinished(async () => {
    await database.close();
    await fresh.drop();
  });
  return {
    sql: fresh.sql,
    windows: openWindowStore(database, { windowMs: 30 * minute, recoveryMs: 10 * minute }),
    wide: openWideStore(database),
  };
}

const signature = (lessonKey: string, of: Partial<SignatureWindow> = {}): SignatureWindow => ({
  ...{ lessonKey, windowStart: noon, events: 3, runHashes: [1, 2, 2 ** 52 - 1], singleEvents: 1 },
  ...{ runsSeen: 9, agents: 2, runsRecovered: 1, between: { search: 1 }, unchangedRetries: 4 },
  ...{ nextSteps: 5, nextWorked: 6, firstAt: noon + 1, lastAt: noon + 999, ...of },
});

const runWindow = (agentId: string, of: Partial<RunWindow> = {}): RunWindow => ({
  ...{ tenantId: "t", agentId, taskType: "k", windowStart: noon, runHashes: [7, 8] },
  ...{ singleEvents: 2, ...of },
});

describe("windows", () => {
  test("that are given are due once they and the time for recovery are over, the oldest first", async () => {
    const { windows } = await open();
    const now = Date.now();
    const [old, older, running] = [now - 41 * minute, now - 90 * minute, now - 39 * minute];
    await windows.touch([old, older, running]);
    expect((await windows.due(10)).map(({ start }) => start)).toEqual([older, old]);
    expect((await windows.due(1)).map(({ start }) => start)).toEqual([older]);
    expect(await windows.countDue()).toBe(2);
  });

  test("are due again when a window follows whose events may tell of their recovery", async () => {
    const { windows } = await open();
    await windows.touch([noon, noon - 60 * minute]);
    await windows.replace(await windows.due(10), { signatures: [], runs: [] });
    expect(await windows.countDue()).toBe(0);
    await windows.touch([noon + 30 * minute]);
    expect(await windows.due(10)).toEqual([
      { start: noon, touches: 2 },
      { start: noon + 30 * minute, touches: 1 },
    ]);
  });

  test("that get new events while they are counted stay due", async () => {
    const { windows } = await open();
    await windows.touch([noon]);
    const due = await windows.due(10);
    await windows.touch([noon]);
    await windows.replace(due, { signatures: [], runs: [] });
    expect(await windows.due(10)).toEqual([{ start: noon, touches: 2 }]);
  });

  test("hold all that was counted", async () => {
    const { windows, sql } = await open();
    await windows.replace([{ start: noon, touches: 1 }], {
      signatures: [signature("a")],
      runs: [runWindow("one")],
    });
    const [row] =
      await sql`SELECT to_jsonb(signature_windows) - 'counted_at' AS row FROM signature_windows`;
    expect(row?.["row"]).toEqual({
      ...{ lesson_key: "a", window_start: "2026-03-01T12:00:00+00:00", events: 3 },
      ...{ run_hashes: [1, 2, 2 ** 52 - 1], single_events: 1, runs_seen: 9, agents: 2 },
      ...{ runs_recovered: 1, between: { search: 1 }, unchanged_retries: 4 },
      ...{ next_steps: 5, next_worked: 6 },
      ...{ first_at: "2026-03-01T12:00:00.001+00:00", last_at: "2026-03-01T12:00:00.999+00:00" },
    });
    const [run] = await sql`SELECT to_jsonb(run_windows) - 'counted_at' AS row FROM run_windows`;
    expect(run?.["row"]).toEqual({
      ...{ tenant_id: "t", agent_id: "one", task_type: "k", run_hashes: [7, 8], single_events: 2 },
      window_start: "2026-03-01T12:00:00+00:00",
    });
  });

  test("that are counted again have the new counts, and nothing of the former ones; others keep theirs", async () => {
    const { windows, sql } = await open();
    const later = { windowStart: noon + 30 * minute };
    await windows.replace([{ start: noon, touches: 1 }], {
      signatures: [signature("a"), signature("b"), signature("b", later)],
      runs: [runWindow("one"), runWindow("two"), runWindow("two", later)],
    });
    await windows.replace([{ start: noon, touches: 2 }], {
      signatures: [signature("a", { events: 8 })],
      runs: [runWindow("one", { singleEvents: 5 })],
    });
    const counted = await sql`
      SELECT lesson_key, events, extract(minute FROM window_start)::int AS minute FROM signature_windows ORDER BY 1, 3`;
    expect([...counted]).toEqual([
      { lesson_key: "a", events: 8, minute: 0 },
      { lesson_key: "b", events: 3, minute: 30 },
    ]);
    const runs = await sql`
      SELECT agent_id, single_events, extract(minute FROM window_start)::int AS minute FROM run_windows ORDER BY 1, 3`;
    expect([...runs]).toEqual([
      { agent_id: "one", single_events: 5, minute: 0 },
      { agent_id: "two", single_events: 2, minute: 30 },
    ]);
  });

  test("are forgotten so many days after they were counted, and evidence across them after twice the slow window", async () => {
    const { windows, wide, sql } = await open();
    await windows.replace([{ start: noon, touches: 1 }], {
      signatures: [signature("old"), signature("new")],
      runs: [runWindow("old"), runWindow("new")],
    });
    await wide.write(["old", "new"].map((key) => ({ key, value: evidence([]), version: 0 })));
    await sql`UPDATE signature_windows SET counted_at = now() - interval '4 days' WHERE lesson_key = 'old'`;
    await sql`UPDATE run_windows SET counted_at = now() - interval '4 days' WHERE agent_id = 'old'`;
    await sql`UPDATE wide_evidence SET updated_at = now() - interval '11 days' WHERE evidence_key = 'old'`;
    await sql`UPDATE wide_evidence SET updated_at = now() - interval '9 days' WHERE evidence_key = 'new'`;
    expect(await windows.removeBefore(3, 5)).toBe(3);
    expect(await windows.removeBefore(3, 5)).toBe(0);
    const [left] = await sql`
      SELECT (SELECT lesson_key FROM signature_windows), (SELECT agent_id FROM run_windows), (SELECT evidence_key FROM wide_evidence)`;
    expect(left).toEqual({ lesson_key: "new", agent_id: "new", evidence_key: "new" });
  });
});

const evidence = (sighted: readonly number[]): WideEvidence => ({
  ...{ entries: [], sighted, learned: false, worked: ["search"] },
});

describe("wide evidence", () => {
  test("is read as it was written, with its version", async () => {
    const { wide } = await open();
    expect(await wide.write([{ key: "a", value: evidence([1]), version: 0 }])).toBe(1);
    expect(await wide.read(["a", "none"])).toEqual(
      new Map([["a", { value: evidence([1]), version: 1 }]]),
    );
  });

  test("that somebody else has written since it was read is left alone", async () => {
    const { wide } = await open();
    await wide.write([{ key: "a", value: evidence([1]), version: 0 }]);
    await wide.write([{ key: "a", value: evidence([2]), version: 1 }]);
    expect(
      await wide.write([
        { key: "a", value: evidence([3]), version: 1 },
        { key: "b", value: evidence([4]), version: 0 },
      ]),
    ).toBe(1);
    expect((await wide.read(["a"])).get("a")).toEqual({ value: evidence([2]), version: 2 });
  });
});
