import { expect, test } from "vitest";
import { answered, inTurn, isSilent, sessionOf } from "../../../src/runtime/pull-session.ts";
import { firstState, type PullState, type Requests } from "../../../src/runtime/pull-state.ts";

const durable = { stream: "S", durable: "d", streamCreated: "then", ackWaitMs: 30_000 };
const answer = () => undefined;
const requests = (some: Partial<Requests> = {}): Requests => ({
  ...{ askedFor: 0, heardAt: 0, expected: null },
  ...some,
});

test("messages are asked for where the JetStream API of the durable is", () => {
  expect(sessionOf(answer, durable).subject).toBe("$JS.API.CONSUMER.MSG.NEXT.S.d");
  const inDomain = sessionOf(answer, { ...durable, apiPrefix: "$JS.hub.API" });
  expect(inDomain.subject).toBe("$JS.hub.API.CONSUMER.MSG.NEXT.S.d");
});

test("only a durable whose order counts expects its first delivery", () => {
  expect(sessionOf(answer, durable).requests.expected).toBeNull();
  expect(sessionOf(answer, { ...durable, inOrder: true }).requests.expected).toBe(1);
});

test("what comes unasked leaves no debt", () => {
  const open = requests({ askedFor: 3 });
  answered(open, 2);
  expect(open.askedFor).toBe(1);
  answered(open, 5);
  expect(open.askedFor).toBe(0);
});

test("a delivery out of turn is found, and changes nothing", () => {
  const inOrder = requests({ expected: 1 });
  expect(inTurn(inOrder, 1)).toBe(true);
  expect(inTurn(inOrder, 3)).toBe(false);
  expect(inTurn(inOrder, 1)).toBe(false);
  expect(inTurn(inOrder, 2)).toBe(true);
});

test("only an open request makes silence", () => {
  const trouble = { problem: null, failures: 0 };
  const open = (some: Partial<Requests>): PullState => ({
    ...{ kind: "open", held: false, requests: requests(some) },
    ...trouble,
  });
  expect(isSilent(open({ askedFor: 1, heardAt: 100 }), 301, 200)).toBe(true);
  expect(isSilent(open({ askedFor: 1, heardAt: 101 }), 301, 200)).toBe(false);
  expect(isSilent(open({ askedFor: 0, heardAt: 0 }), 301, 200)).toBe(false);
  const draining = { kind: "draining", requests: requests({ askedFor: 1 }), ...trouble } as const;
  expect(isSilent(draining, 301, 200)).toBe(true);
  expect(isSilent(firstState, 301, 200)).toBe(false);
});
