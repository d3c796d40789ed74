import fc from "fast-check";
import { expect, test } from "vitest";
import { type CountRow, countsOf } from "../../../src/handlers/console/fold.ts";
import { latencyClass } from "../../../src/handlers/console/latency.ts";
import { agentStepsSeconds } from "../../../src/handlers/console/steps.ts";
import type { ExperienceEvent } from "../../../src/handlers/extractor/event.ts";
import { plainEvent } from "../extractor/events.ts";

const someEvent = fc
  .record({
    tenantId: fc.constantFrom("default", "other"),
    agentId: fc.constantFrom("a", "b"),
    taskType: fc.constantFrom("t", ""),
    ts: fc.integer({ min: 1_772_323_200_000, max: 1_772_323_200_000 + 3 * 86_400_000 }),
    ok: fc.boolean(),
    silent: fc.boolean(),
    cancelled: fc.boolean(),
    latencyMs: fc.option(fc.integer({ min: 0, max: 200_000 }), { nil: undefined }),
    toolLatencyMs: fc.option(fc.integer({ min: 0, max: 200_000 }), { nil: undefined }),
  })
  .map((fields): ExperienceEvent => ({ ...plainEvent, ...fields }));

const isSlow = ({ latencyMs }: ExperienceEvent) => latencyMs !== undefined && latencyMs >= 5_000;

const keyOf = (row: CountRow) =>
  JSON.stringify([row.tenantId, row.agentId, row.taskType, row.stepSeconds, row.startsAt]);

/** Adds rows up as the table does. */
function added(rows: readonly CountRow[]): Map<string, CountRow> {
  const all = new Map<string, CountRow>();
  for (const row of rows) {
    const before = all.get(keyOf(row));
    all.set(keyOf(row), {
      ...row,
      ok: row.ok + (before?.ok ?? 0),
      error: row.error + (before?.error ?? 0),
      silent: row.silent + (before?.silent ?? 0),
      cancelled: row.cancelled + (before?.cancelled ?? 0),
      slow: row.slow + (before?.slow ?? 0),
      latency: row.latency.map((count, i) => count + (before?.latency[i] ?? 0)),
    });
  }
  return all;
}

test("each row is what looking through all events for it finds", () => {
  fc.assert(
    fc.property(fc.array(someEvent, { maxLength: 40 }), (events) => {
      const { rows } = countsOf(events, isSlow);
      expect(new Set(rows.map(keyOf)).size).toBe(rows.length);
      for (const row of rows) {
        const end = row.startsAt + row.stepSeconds * 1_000;
        const of = events.filter(
          ({ tenantId, agentId, taskType, ts }) =>
            tenantId === row.tenantId &&
            (row.agentId === "" || (agentId === row.agentId && taskType === row.taskType)) &&
            ts >= row.startsAt &&
            ts < end,
        );
        const done = of.filter(({ cancelled }) => !cancelled);
        const classes = done.flatMap(({ latencyMs, toolLatencyMs }) => {
          const ms = toolLatencyMs ?? latencyMs;
          return ms === undefined ? [] : [latencyClass(ms)];
        });
        expect(row).toMatchObject({
          cancelled: of.length - done.length,
          error: done.filter(({ ok }) => !ok).length,
          silent: done.filter(({ ok, silent }) => ok && silent).length,
          ok: done.filter(({ ok, silent }) => ok && !silent).length,
          slow: done.filter(isSlow).length,
          latency: row.latency.map((_, i) => classes.filter((one) => one === i).length),
        });
      }
      const perTenant = rows.filter(
        ({ agentId, stepSeconds }) => agentId === "" && stepSeconds === 60,
      );
      const messages = perTenant.map((row) => row.ok + row.error + row.silent + row.cancelled);
      expect(messages.reduce((sum, one) => sum + one, 0)).toBe(events.length);
    }),
  );
});

test("of each agent the steps of agents hold what its tasks have in them", () => {
  fc.assert(
    fc.property(fc.array(someEvent, { maxLength: 40 }), (events) => {
      const { rows, agentRows } = countsOf(events, isSlow);
      const minutes = rows.filter(
        ({ agentId, stepSeconds }) => agentId !== "" && stepSeconds === 60,
      );
      const expected = agentStepsSeconds.flatMap((stepSeconds) =>
        minutes.map((row) => ({
          ...{ ...row, taskType: "", stepSeconds },
          startsAt: Math.floor(row.startsAt / stepSeconds / 1_000) * stepSeconds * 1_000,
        })),
      );
      expect(added(agentRows.map((row) => ({ ...row, taskType: "" })))).toEqual(added(expected));
      expect(new Set(agentRows.map((row) => keyOf({ ...row, taskType: "" }))).size).toBe(
        agentRows.length,
      );
    }),
  );
});

test("however events are cut into batches and ordered, the rows add up to the same", () => {
  const parts = fc.array(fc.array(someEvent, { maxLength: 15 }), { maxLength: 5 });
  fc.assert(
    fc.property(parts, (batches) => {
      const cut = batches.flatMap((batch) => countsOf(batch, isSlow).rows);
      const whole = countsOf(batches.flat().reverse(), isSlow).rows;
      expect(added(cut)).toEqual(added(whole));
    }),
  );
});

test("an agent is seen from its earliest to its latest event", () => {
  const at = (ts: number, agentId: string) => ({ ...plainEvent, ts, agentId });
  const { agents } = countsOf([at(5, "a"), at(3, "a"), at(9, "b"), at(4, "a")], () => false);
  expect(agents).toEqual([
    { tenantId: "default", agentId: "a", firstAt: 3, lastAt: 5 },
    { tenantId: "default", agentId: "b", firstAt: 9, lastAt: 9 },
  ]);
});
