import { BusError, isRefusal } from "../errors.ts";
import { inspectJson, parseJsonItems } from "./json.ts";
import { type TArray, type TSchema, type TUnion, Type } from "./typebox.ts";

/** Why one of many was not taken, and which. */
export interface InvalidItem {
  readonly index: number;
  readonly reason: string;
}

/** Of a reply: what was not taken, in the order of the request. */
export const invalidItemsSchema = Type.Array(
  Type.Object({ index: Type.Integer(), reason: Type.String() }),
);

export interface ManyItems<S extends TSchema> {
  readonly request: TUnion<[S, TArray<S>]>;
  /** Throws `bad_request` for what is no JSON, `too_large` for more than `max`. */
  readonly decode: (payload: Uint8Array) => readonly unknown[];
}

/** A request of one item or an array of at most `max`, each of which is judged for itself. */
export function manyItems<S extends TSchema>(
  item: S,
  { max, noun }: { readonly max: number; readonly noun: string },
): ManyItems<S> {
  return {
    request: Type.Union([item, Type.Array(item, { maxItems: max })]),
    decode(payload) {
      if (payload.length === 0) throw new BusError("bad_request", "the request is empty");
      return itemsIn(payload, { max, noun });
    },
  };
}

/** One item in JSON, or an array of at most `max`. Throws `bad_request` for what is no JSON, `too_large` for more. */
export function itemsIn(
  payload: Uint8Array,
  { max, noun }: { readonly max: number; readonly noun: string },
): readonly unknown[] {
  const values = parseJsonItems(payload);
  if (values.length <= max) return values;
  throw new BusError("too_large", `${values.length} ${noun} in a request, at most ${max}`);
}

/** The item as JSON. Throws a refusal for what PostgreSQL cannot hold, and for more than `maxBytes`. */
export function itemPayload(value: unknown, maxBytes: number): Buffer {
  inspectJson(value);
  const payload = Buffer.from(JSON.stringify(value));
  if (payload.length <= maxBytes) return payload;
  throw new BusError("too_large", `has ${payload.length} bytes, at most ${maxBytes}`);
}

/** Takes each item; null stands for those that are refused. Rejects with any other error, as `take` does. */
export async function takeEach<T>(
  values: readonly unknown[],
  take: (value: unknown) => Promise<T>,
): Promise<{ readonly taken: readonly (T | null)[]; readonly invalid: readonly InvalidItem[] }> {
  const invalid: InvalidItem[] = [];
  const taken = await Promise.all(
    values.map((value, index) =>
      take(value).catch((error: unknown) => {
        if (!isRefusal(error)) throw error;
        invalid.push({ index, reason: error.message });
        return null;
      }),
    ),
  );
  return { taken, invalid: invalid.sort((a, b) => a.index - b.index) };
}
