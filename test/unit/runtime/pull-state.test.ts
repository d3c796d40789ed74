import fc from "fast-check";
import { expect, test } from "vitest";
import {
  firstState,
  nextStep,
  type PullEvent,
  type PullState,
  type PullStep,
} from "../../../src/runtime/pull-state.ts";

type Kind = PullState["kind"];

/** What a step does, as the table tells it: the next state, then the actions. */
const none = "same";
const requests = (askedFor = 0) => ({ askedFor, heardAt: 0, expected: null });

const states: Record<Kind, PullState> = {
  opening: { kind: "opening", held: false, problem: "gone", failures: 2 },
  open: { kind: "open", held: false, problem: "gone", failures: 2, requests: requests(10) },
  draining: { kind: "draining", problem: "gone", failures: 2, requests: requests(10) },
  stopped: { kind: "stopped", problem: "gone", failures: 2 },
};

const events: Record<PullEvent["kind"], PullEvent> = {
  opened: { kind: "opened", requests: requests() },
  open_failed: { kind: "open_failed", why: "no stream" },
  lost: { kind: "lost", why: "reconnected" },
  served: { kind: "served" },
  delivered: { kind: "delivered" },
  heard: { kind: "heard" },
  hold: { kind: "hold" },
  resume: { kind: "resume" },
  answered: { kind: "answered" },
  stop: { kind: "stop" },
  hurry: { kind: "hurry" },
};

/** Every event in every state; the compiler refuses a table that lacks one. */
const table: Record<PullEvent["kind"], Record<Kind, string>> = {
  opened: { opening: "open, ask", open: none, draining: none, stopped: none },
  open_failed: { opening: "opening no stream/3", open: none, draining: none, stopped: none },
  lost: {
    opening: "opening reconnected/3",
    open: "opening reconnected/3, report_loss, leave",
    draining: "stopped reconnected/3, report_loss, leave",
    stopped: none,
  },
  served: {
    opening: "opening gone/0",
    open: "open gone/0",
    draining: "draining gone/0",
    stopped: "stopped gone/0",
  },
  delivered: {
    opening: "opening null/0",
    open: "open null/0",
    draining: "draining null/0",
    stopped: "stopped null/0",
  },
  heard: { opening: none, open: "open null/2", draining: "draining null/2", stopped: none },
  hold: { opening: "opening held", open: "open held", draining: none, stopped: none },
  resume: { opening: none, open: "same, ask", draining: none, stopped: none },
  answered: { opening: none, open: none, draining: "stopped", stopped: none },
  stop: { opening: "stopped, give_up", open: "draining, give_up", draining: none, stopped: none },
  hurry: { opening: none, open: none, draining: "stopped", stopped: none },
};

const isHeld = (state: PullState) => "held" in state && state.held;

function told(before: PullState, { state, actions }: PullStep): string {
  const isSame = JSON.stringify(state) === JSON.stringify(before);
  const trouble = `${state.problem}/${state.failures}`;
  const parts = [state.kind, ...(trouble === "gone/2" ? [] : [trouble])];
  if (isHeld(state)) parts.push("held");
  return [isSame ? none : parts.join(" "), ...actions].join(", ");
}

const cases = Object.keys(events).flatMap((event) =>
  Object.keys(states).map((state) => [event, state] as [PullEvent["kind"], Kind]),
);

test.each(cases)("%s while %s is as the table says", (event, kind) => {
  const before = states[kind];
  expect(told(before, nextStep(before, events[event]))).toBe(table[event][kind]);
});

test("a stop waits for open requests only", () => {
  const open = { ...states.open, kind: "open" as const, held: false, requests: requests(0) };
  expect(nextStep(open, { kind: "stop" }).state.kind).toBe("stopped");
});

test("another replica that reads now is no problem and no failure", () => {
  const lost = { kind: "lost", why: null } as const;
  const { state, actions } = nextStep(states.open, lost);
  expect(state).toMatchObject({ kind: "opening", problem: null, failures: 2 });
  expect(actions).toEqual(["leave"]);
});

test("a hold outlasts losses", () => {
  const held = nextStep(firstState, events.hold).state;
  const reopened = [events.opened, events.lost, events.opened].reduce(
    (state, event) => nextStep(state, event).state,
    held,
  );
  expect(isHeld(reopened)).toBe(true);
});

test("whatever happens, nothing is asked for after a stop, and then it ends", () => {
  const anyEvent = fc.constantFrom(...Object.values(events));
  const property = fc.property(fc.array(anyEvent), fc.array(anyEvent), (before, after) => {
    let { state } = [...before, events.stop].reduce<PullStep>(
      (step, event) => nextStep(step.state, event),
      { state: firstState, actions: [] },
    );
    for (const event of after) {
      const step = nextStep(state, event);
      expect(step.actions).not.toContain("ask");
      state = step.state;
    }
    expect(nextStep(state, events.hurry).state.kind).toBe("stopped");
  });
  fc.assert(property, { numRuns: 500 });
});
