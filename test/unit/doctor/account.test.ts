import { expect, test } from "vitest";
import { accountObstacles, reportUsage } from "../../../src/doctor/account.ts";
import { costsOf, desiredState } from "../../../src/handlers/derived.ts";
import type { Step } from "../../../src/nats/plan.ts";
import { readSettings } from "../../../src/settings/index.ts";

const settings = readSettings({ NATS_URL: "nats://n" }, ["nats"]);
const desired = desiredState(settings);
const missing = (names: readonly string[]): Step[] =>
  names.map((what) => ({ what, action: "create", drift: [] }));
const allMissing = missing(desired.streams.map(({ stream }) => `stream ${stream.name}`));
const unlimited = { max_memory: -1, max_storage: -1, max_streams: -1, max_consumers: -1 };

function obstacles(
  limits: Record<string, unknown>,
  { steps = allMissing, maxBytes = null as number | null, reserved_storage = 0 } = {},
): string[] {
  const account = { streams: 0, consumers: 0, storage: 0, reserved_storage };
  const given = { ...unlimited, max_bytes_required: false, ...limits };
  const needs = { desired, steps, costs: "COSTS", maxBytes };
  return accountObstacles({ ...account, limits: given } as never, needs);
}

test("without limits nothing is in the way", () => {
  expect(obstacles({})).toEqual([]);
});

test("limits that have no room for what is missing are named with what to do", () => {
  const streams = desired.streams.length;
  expect(obstacles({ max_streams: 3 })).toEqual([
    expect.stringMatching(`allows 3 streams, 0 are there and ${streams} are to be made.*COSTS`),
  ]);
  const consumers = missing(["consumer A/b", "consumer A/c"]);
  expect(obstacles({ max_consumers: 1 }, { steps: consumers })).toEqual([
    expect.stringMatching(/allows 1 consumers, 0 are there and 2 are to be made/),
  ]);
  expect(obstacles({ max_bytes_required: true, max_storage: 100 * streams })).toEqual([
    "the account demands a size of each stream: set JETSTREAM_MAX_BYTES to 100 at most",
  ]);
  const big = { maxBytes: 200, reserved_storage: 50 * streams };
  expect(obstacles({ max_storage: 100 * streams }, big)).toEqual([
    expect.stringMatching(/has \d+ left: set JETSTREAM_MAX_BYTES to 50 at most$/),
  ]);
  expect(obstacles({ storage_max_stream_bytes: 100 }, big)).toEqual([
    "the account allows a stream 100 bytes: JETSTREAM_MAX_BYTES=200 is more",
  ]);
});

test("what exists asks for no more room", () => {
  const limits = { max_streams: 1, max_bytes_required: true, max_storage: 1 };
  expect(obstacles(limits, { steps: [] })).toEqual([]);
});

test("what a concern costs that is left out, is said of each that costs anything", () => {
  const costs = costsOf(settings);
  expect(costs).toMatch(/^\d+ streams and \d+ consumers are needed; without extractor \d+ and \d+/);
  expect(costs).toMatch(/; without runs 2 and 1 fewer/);
  expect(costs).not.toContain("without memory");
});

test("what is used of each limit is said, and warned of where little is left", () => {
  const said: string[] = [];
  const found = {
    ok: (text: string) => said.push(`ok ${text}`),
    warning: (text: string) => said.push(`warning ${text}`),
  };
  const limits = { ...unlimited, max_streams: 10, max_storage: 1_000 };
  const account = { streams: 10, consumers: 7, storage: 900, limits };
  reportUsage(account as never, found as never);
  expect(said).toEqual([
    "warning 10 of the account's 10 streams are used",
    "ok 900 of the account's 1000 bytes of storage are used",
  ]);
});
