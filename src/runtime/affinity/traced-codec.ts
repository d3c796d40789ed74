import { ROOT_CONTEXT, trace } from "@opentelemetry/api";
import type { Tracing } from "../tracing.ts";
import type { AffinityOptions } from "./affinity.ts";

interface Traced {
  readonly item: unknown;
  readonly trace: Record<string, string>;
}

/** Hands on the trace that an item belongs to: what its owner publishes because of it continues that. */
export function tracedCodec<T extends object>(
  { causes, propagator }: Tracing,
  codec: AffinityOptions<T>["codec"],
): AffinityOptions<T>["codec"] {
  return {
    to(item) {
      const span = causes.get(item)?.span;
      if (span === undefined) return codec.to(item);
      const carrier: Record<string, string> = {};
      propagator.inject(trace.setSpan(ROOT_CONTEXT, span), carrier, {
        set: (into, name, value) => {
          into[name] = value;
        },
      });
      return { item: codec.to(item), trace: carrier } satisfies Traced;
    },
    from(value) {
      if (!isTraced(value)) return codec.from(value);
      const item = codec.from(value.item);
      const context = propagator.extract(ROOT_CONTEXT, value.trace, {
        keys: (all) => Object.keys(all),
        get: (all, name) => all[name],
      });
      causes.set(item, { span: trace.getSpan(context) });
      return item;
    },
  };
}

function isTraced(value: unknown): value is Traced {
  return typeof value === "object" && value !== null && "trace" in value && "item" in value;
}
