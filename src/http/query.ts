import { BusError } from "../errors.ts";
import type { TSchema } from "../schema/typebox.ts";

type Shape = { readonly type?: string; readonly properties?: Readonly<Record<string, Shape>> };

/**
 * The fields of a query, as numbers, booleans and lists where the schema of the request has these; what is none is
 * left for the endpoint to refuse. Throws `bad_request` for a field that is there twice and is no list.
 */
export function requestFrom(query: URLSearchParams, schema: TSchema | null): object {
  const { properties = {} } = (schema ?? {}) as Shape;
  const fields = [...new Set(query.keys())].map((name) => {
    const shape = Object.hasOwn(properties, name) ? properties[name] : undefined;
    const values = query.getAll(name);
    if (shape?.type === "array") return [name, values];
    if (values.length === 1) return [name, fieldOf(values[0] ?? "", shape?.type)];
    throw new BusError("bad_request", "a field of the query is there twice");
  });
  return Object.fromEntries(fields) as object;
}

function fieldOf(text: string, type: string | undefined): unknown {
  if (type === "boolean" && /^(true|false)$/.test(text)) return text === "true";
  const isNumber = type === "integer" || type === "number";
  return isNumber && /^-?\d{1,16}(\.\d+)?$/.test(text) ? Number(text) : text;
}
