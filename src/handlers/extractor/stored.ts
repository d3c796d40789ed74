import { maskSecretsOfId } from "../../schema/secrets.ts";
import { isStored } from "./batch.ts";
import type { ExperienceEvent } from "./event.ts";
import { type Evidence, isSettled } from "./evidence.ts";
import type { Rule } from "./rules/index.ts";
import { isSampled } from "./sampling.ts";
import { cachedSubject } from "./subjects.ts";

/** Events that need not be handled, because all that they are evidence for is stored, as far as memory knows. */
export interface StoredEvents {
  isStored(event: ExperienceEvent): boolean;
  /** Of one that is stored, and has no secret in it: others like it are found without working out their signatures. */
  remember(event: ExperienceEvent): void;
  /**
   * Whether `isStored` would hold for it, and one like it is remembered: in a storm this is so for nearly every event. Nothing of
   * the event is kept, and its secrets may be in it.
   */
  isLikeStored(event: ExperienceEvent): boolean;
}

/** What signatures depend on, of events that are alike in it; and their lesson keys. */
interface Alike extends Pick<ExperienceEvent, (typeof fields)[number]> {
  /** Which rules pass it over, a bit for each. */
  readonly passed: number;
  readonly lessonKeys: readonly string[];
}

/** Every field but the agent, ids, times, durations, and what no rule may ask for (`rules/rule.ts`). */
const fields = [
  ...(["tenantId", "taskType", "ok", "errorClass", "httpStatus", "silent"] as const),
  ...(["tool", "provider", "model", "profile", "reason"] as const),
] as const satisfies readonly (keyof ExperienceEvent)[];

const maxAlike = 10_000;
const maxOfAgent = 16;

export function createStoredEvents(
  rules: readonly Rule[],
  known: (lessonKey: string) => Evidence | undefined,
  options: { readonly windowMs: number; readonly okSamplePercent: number },
): StoredEvents {
  const byAgent = new Map<string, Alike[]>();
  let count = 0;

  function passedOver(event: ExperienceEvent): number {
    let bits = 0;
    for (const rule of rules) bits = bits * 2 + (rule.passesOver(event) ? 1 : 0);
    return bits;
  }

  function alikeTo(event: ExperienceEvent): Alike | undefined {
    const some = byAgent.get(event.agentId);
    if (some === undefined) return undefined;
    const passed = passedOver(event);
    for (const one of some) if (one.passed === passed && isAlike(one, event)) return one;
    return undefined;
  }

  return {
    isStored: (event) => isStored(event, rules, known, options),
    remember(event) {
      if (alikeTo(event) !== undefined) return;
      const lessonKeys = rules.flatMap((rule) => {
        const signals = rule.signature(event);
        return signals === null ? [] : [cachedSubject(rule, event, signals).lessonKey];
      });
      if (lessonKeys.length === 0) return;
      if (count >= maxAlike) {
        byAgent.clear();
        count = 0;
      }
      const some = byAgent.get(event.agentId) ?? [];
      byAgent.set(event.agentId, some);
      some.push({ ...partOf(event), passed: passedOver(event), lessonKeys });
      if (some.length > maxOfAgent) some.shift();
      else count += 1;
    },
    isLikeStored(event) {
      if (event.cancelled) return false;
      const alike = alikeTo(event);
      if (alike === undefined) return false;
      if (event.ok && isSampled(maskSecretsOfId(event.eventId), options.okSamplePercent)) {
        return false;
      }
      for (const lessonKey of alike.lessonKeys) {
        const evidence = known(lessonKey);
        if (!evidence || !isSettled(evidence, event.ts, options.windowMs)) return false;
      }
      return true;
    },
  };
}

function partOf(event: ExperienceEvent): Pick<ExperienceEvent, (typeof fields)[number]> {
  const { tenantId, taskType, ok, errorClass, httpStatus, silent } = event;
  const { tool, provider, model, profile, reason } = event;
  return {
    ...{ tenantId, taskType, ok, errorClass, httpStatus, silent },
    ...{ tool, provider, model, profile, reason },
  };
}

function isAlike(one: Alike, event: ExperienceEvent): boolean {
  return (
    one.errorClass === event.errorClass &&
    one.tool === event.tool &&
    one.taskType === event.taskType &&
    one.tenantId === event.tenantId &&
    one.ok === event.ok &&
    one.httpStatus === event.httpStatus &&
    one.silent === event.silent &&
    one.provider === event.provider &&
    one.model === event.model &&
    one.profile === event.profile &&
    one.reason === event.reason
  );
}
