import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { mostTopics, openLivePages, type SeenPage } from "../../../src/console/live.ts";
import { recordingLog } from "../../rig/service.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

function livePages() {
  const { log, lines } = recordingLog();
  const live = openLivePages(log);
  const follow = (tenantId: string, ...pages: readonly SeenPage[]) => {
    const reader = live.follow(tenantId, pages).getReader();
    const leave = () => reader.cancel();
    onTestFinished(leave);
    let text = "";
    const read = async (): Promise<void> => {
      const { value, done } = await reader.read();
      if (done) return;
      text += Buffer.from(value).toString();
      await read();
    };
    void read();
    return { leave, text: () => text };
  };
  return { follow, lines };
}

const pageOf = (key: string, render: () => Promise<string> = async () => key): SeenPage => ({
  ...{ key, name: `/${key}`, seen: "", render },
});

const manyPages = (count: number) => Array.from({ length: count }, (_, n) => pageOf(`p${n}`));

test("a page that takes for ever to render holds up no other tenant", async () => {
  const { follow } = livePages();
  follow(
    "slow",
    pageOf("stuck", () => new Promise(() => undefined)),
  );
  const { text } = follow("quick", pageOf("fine"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(text()).toContain("event: page\ndata: /fine\ndata: fine\n\n");
});

test("pages that are slow to render rest longer than quick ones, and never for long", async () => {
  const { follow } = livePages();
  const rendered = { slow: 0, quick: 0 };
  const slow = async () => {
    await new Promise((resolve) => setTimeout(resolve, 5_000));
    rendered.slow += 1;
    return "slow";
  };
  const quick = async () => {
    rendered.quick += 1;
    return `quick ${rendered.quick}`;
  };
  follow("a", pageOf("slow", slow));
  follow("b", pageOf("quick", quick));
  await vi.advanceTimersByTimeAsync(5_000);
  expect(rendered.slow).toBe(1);
  await vi.advanceTimersByTimeAsync(9_000);
  expect(rendered.slow).toBe(1);
  await vi.advanceTimersByTimeAsync(6_000);
  expect(rendered.slow).toBe(2);
  expect(rendered.quick).toBeGreaterThan(20);
});

test("a tenant has so many different pages open at once, and room again when they are left", async () => {
  const { follow, lines } = livePages();
  const { leave } = follow("a", ...manyPages(mostTopics));
  // What is open already costs nothing more.
  const { text } = follow("a", ...manyPages(2));
  expect(() => follow("a", pageOf("more"))).toThrow("too many pages are open");
  const other = follow("b", pageOf("more"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(text()).toContain("data: /p1\n");
  expect(other.text()).toContain("data: /more\n");
  await leave();
  const more = follow("a", pageOf("more"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(more.text()).toContain("data: /more\n");
  expect(lines).toEqual([]);
});

test("of tenants that nobody looks at any more nothing is kept", async () => {
  const { follow } = livePages();
  for (let n = 0; n < 1_000; n += 1) {
    const { leave } = follow(`t${n}`, pageOf("p"));
    if (n > 0) await leave();
  }
  expect(() => follow("more", pageOf("p"))).toThrow("too many pages are open");
  await vi.advanceTimersByTimeAsync(1_000);
  const { text } = follow("more", pageOf("p"));
  // One that was left and comes back has its turns again.
  const back = follow("t1", pageOf("p"));
  await vi.advanceTimersByTimeAsync(1_000);
  expect(text()).toContain("data: /p\n");
  expect(back.text()).toContain("data: /p\n");
});
