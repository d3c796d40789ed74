/**
 * What pulling does next, decided apart from doing it (`pull.ts` does it). The durable is looked up, pulled from, and looked
 * up again after each loss; a stop waits for the open requests, since nats-server may be about to deliver.
 *
 *     opening ── opened ──▶ open ── stop ──▶ draining ── answered, lost, hurry ──▶ stopped
 *        ▲                   │
 *        └────── lost ───────┘               opening, and open without a request: stop ──▶ stopped
 */
export type PullState =
  | (Trouble & { readonly kind: "opening"; readonly held: boolean })
  | (Trouble & { readonly kind: "open"; readonly held: boolean; readonly requests: Requests })
  | (Trouble & { readonly kind: "draining"; readonly requests: Requests })
  | (Trouble & { readonly kind: "stopped" });

interface Trouble {
  /** Why there are no deliveries right now, if something is wrong. */
  readonly problem: string | null;
  /** Since the server was last heard to serve: openings that failed, and requests that it refused. */
  readonly failures: number;
}

export type PullEvent =
  | { readonly kind: "opened"; readonly requests: Requests }
  | { readonly kind: "open_failed"; readonly why: string }
  /** The requests are void; `why` null: another replica reads the durable now, and nothing is wrong. */
  | { readonly kind: "lost"; readonly why: string | null }
  /** A heartbeat, or a request that ended in time: the server serves. */
  | { readonly kind: "served" }
  | { readonly kind: "delivered" }
  /** The server has said something within the time in which it has to. */
  | { readonly kind: "heard" }
  | { readonly kind: "hold" }
  | { readonly kind: "resume" }
  /** No request is open any more. */
  | { readonly kind: "answered" }
  | { readonly kind: "stop" }
  /** The stop waits for nothing more. */
  | { readonly kind: "hurry" };

/** `ask`: fill the credit; `report_loss`: log why; `leave`: nothing of it counts any more; `give_up`: end an opening. */
export type PullAction = "ask" | "report_loss" | "leave" | "give_up";

export interface PullStep {
  readonly state: PullState;
  readonly actions: readonly PullAction[];
}

/** The requests that are open at the server. They change with every message, so in place. */
export interface Requests {
  /** Messages that are asked for and have not come. */
  askedFor: number;
  /** When the server was last heard, ms of a clock that never goes back. */
  heardAt: number;
  /** The next delivery of a consumer whose order counts; null: order does not. */
  expected: number | null;
}

export const firstState: PullState = { kind: "opening", held: false, problem: null, failures: 0 };

const to = (state: PullState, ...actions: PullAction[]): PullStep => ({ state, actions });

/** Pure: the same state and event always give the same step. What means nothing in a state leaves it as it is. */
export function nextStep(state: PullState, event: PullEvent): PullStep {
  switch (event.kind) {
    case "served":
      return to({ ...state, failures: 0 });
    case "delivered":
      return to({ ...state, failures: 0, problem: null });
    default:
      break;
  }
  switch (state.kind) {
    case "opening":
      return whileOpening(state, event);
    case "open":
      return whileOpen(state, event);
    case "draining":
      return whileDraining(state, event);
    case "stopped":
      return to(state);
  }
}

type State<K extends PullState["kind"]> = Extract<PullState, { kind: K }>;

function whileOpening(state: State<"opening">, event: PullEvent): PullStep {
  const { problem, failures } = state;
  switch (event.kind) {
    case "opened":
      return to({ ...state, kind: "open", requests: event.requests }, "ask");
    case "open_failed":
      return to({ ...state, problem: event.why, failures: failures + 1 });
    case "lost":
      return to({ ...state, ...afterLoss(state, event.why) });
    case "hold":
      return to({ ...state, held: true });
    case "resume":
      return to({ ...state, held: false });
    case "stop":
      return to({ kind: "stopped", problem, failures }, "give_up");
    default:
      return to(state);
  }
}

function whileOpen(state: State<"open">, event: PullEvent): PullStep {
  const { held, requests, problem, failures } = state;
  switch (event.kind) {
    case "lost": {
      const report: PullAction[] = event.why === null ? [] : ["report_loss"];
      const opening = { kind: "opening" as const, held, ...afterLoss(state, event.why) };
      return to(opening, ...report, "leave");
    }
    case "heard":
      return to({ ...state, problem: null });
    case "hold":
      return to({ ...state, held: true });
    case "resume":
      return to({ ...state, held: false }, "ask");
    case "stop":
      return requests.askedFor > 0
        ? to({ kind: "draining", requests, problem, failures }, "give_up")
        : to({ kind: "stopped", problem, failures }, "give_up");
    default:
      return to(state);
  }
}

function whileDraining(state: State<"draining">, event: PullEvent): PullStep {
  const { problem, failures } = state;
  switch (event.kind) {
    case "lost": {
      const report: PullAction[] = event.why === null ? [] : ["report_loss"];
      return to({ kind: "stopped", ...afterLoss(state, event.why) }, ...report, "leave");
    }
    case "heard":
      return to({ ...state, problem: null });
    case "answered":
    case "hurry":
      return to({ kind: "stopped", problem, failures });
    default:
      return to(state);
  }
}

function afterLoss({ failures }: Trouble, why: string | null): Trouble {
  return { problem: why, failures: why === null ? failures : failures + 1 };
}
