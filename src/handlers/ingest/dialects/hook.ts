import { boundedId, isoOf } from "../build-event.ts";
import { ignored, type Mapped } from "../mapped.ts";
import type { Reason } from "../reasons.ts";
import { type Fields, textIn } from "./fields.ts";

/** One hook: what the agent said, and when it arrived (epoch ms), for most of them name no time. */
export interface Hook {
  readonly fields: Fields;
  readonly receivedAt: number;
}

export interface HookDialect {
  /** As in `/ingest/hooks/<agent>`. */
  readonly name: string;
  /** By `hook_event_name`. */
  readonly events: Readonly<Record<string, (hook: Hook) => Mapped>>;
}

export function mapHook(dialect: HookDialect, hook: Hook): Mapped {
  const event = textIn(hook.fields, "hook_event_name");
  if (event === undefined) return ignored(dialect.name, "unreadable");
  const map = Object.hasOwn(dialect.events, event) ? dialect.events[event] : undefined;
  return map === undefined ? ignored(dialect.name, "no_outcome") : map(hook);
}

/** A session as a run: an event of that type in it, and no experience. */
export function sessionEvent(agent: string, prefix: string, type: string): (hook: Hook) => Mapped {
  return ({ fields, receivedAt }) => {
    const session = textIn(fields, "session_id");
    const nothing: { dialect: string; reason: Reason } = { dialect: agent, reason: "no_outcome" };
    if (session === undefined) return nothing;
    const why = textIn(fields, "reason") ?? textIn(fields, "source");
    return {
      ...nothing,
      run: [
        {
          event_id: boundedId(`${prefix}:${session}:${type}:${receivedAt}`),
          run_id: boundedId(session),
          ...{ agent_id: agent, type, ts: isoOf(receivedAt) },
          data: why === undefined ? {} : { why: why.slice(0, 64) },
        },
      ],
    };
  };
}
