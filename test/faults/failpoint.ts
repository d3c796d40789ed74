import type { Interceptor } from "./proxy.ts";
import type { Stack } from "./stack.ts";
import type { Step } from "./steps.ts";
import type { ProxiedReplica } from "./supervisor.ts";
import type { Message } from "./wire.ts";

/**
 * `before`: the server never gets the request. `unanswered`: it has answered, and the replica never
 * hears of it. `sent`: it gets this request and nothing after it, for requests without an answer.
 */
export type Moment = "before" | "unanswered" | "sent";

export interface FailpointOptions {
  readonly step: Step;
  readonly moment: Moment;
  /** At which matching request of all replicas it triggers; each number counts from the trigger before. */
  readonly at: readonly number[];
  /** Requests count only from `arm` on. */
  readonly unarmed?: boolean;
  /** Happens instead of the SIGKILL, to the replica that takes the step or to all; a request held `before` goes on after it. */
  readonly inject?: (stack: Stack, replica: ProxiedReplica) => Promise<void>;
}

/** Kills whichever replica takes the step, each time at the very same byte of what it sends. */
export interface Failpoint {
  /** For one connection of a replica. */
  interceptor(kill: () => void, replica: () => ProxiedReplica): Interceptor;
  readonly triggered: number;
  readonly seen: number;
  arm(): void;
  /** Waits for the injections under way; rejects as they do. */
  settled(): Promise<void>;
}

export function setFailpoint(
  { step, moment, at, unarmed = false }: FailpointOptions,
  inject?: (replica: ProxiedReplica) => Promise<void>,
): Failpoint {
  const injections: Promise<void>[] = [];
  const gaps = [...at];
  let left = gaps.shift() ?? Number.POSITIVE_INFINITY;
  let seen = 0;
  let triggered = 0;
  let isArmed = !unarmed;

  function trigger(kill: () => void, replica: () => ProxiedReplica): boolean | Promise<boolean> {
    triggered += 1;
    left = gaps.shift() ?? Number.POSITIVE_INFINITY;
    if (!inject) {
      kill();
      return false;
    }
    const done = inject(replica());
    injections.push(done);
    return done.then(
      () => true,
      () => false,
    );
  }

  return {
    interceptor(kill, replica) {
      const awaited = new Set<string>();
      let last: Message | null = null;
      return {
        admitRequest(message) {
          if (!isArmed || !step.matches(message)) return true;
          seen += 1;
          // At 0 a request is on its way whose end will trigger.
          if (left === 0 || --left > 0) return true;
          if (moment === "before") return trigger(kill, replica);
          if (moment === "unanswered") awaited.add(message.token);
          else last = message;
          return true;
        },
        requestSent(message) {
          if (message === last) trigger(kill, replica);
        },
        admitReply(message) {
          if (!awaited.delete(message.token)) return true;
          trigger(kill, replica);
          return false;
        },
      };
    },
    get triggered() {
      return triggered;
    },
    get seen() {
      return seen;
    },
    arm() {
      isArmed = true;
    },
    async settled() {
      await Promise.all(injections);
    },
  };
}

/** Each counts, and triggers, on its own. */
export function allFailpoints(failpoints: readonly Failpoint[]): Pick<Failpoint, "interceptor"> {
  return {
    interceptor(kill, replica) {
      const interceptors = failpoints.map((failpoint) => failpoint.interceptor(kill, replica));
      return {
        async admitRequest(message) {
          for (const interceptor of interceptors)
            if (!(await interceptor.admitRequest(message))) return false;
          return true;
        },
        requestSent(message) {
          for (const interceptor of interceptors) interceptor.requestSent(message);
        },
        admitReply: (message) =>
          interceptors.every((interceptor) => interceptor.admitReply(message)),
      };
    },
  };
}

/** Lets everything through. */
export const transparent: Interceptor = {
  admitRequest: () => true,
  requestSent: () => undefined,
  admitReply: () => true,
};
