import { type Static, type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { BusError } from "../errors.ts";
import { firstProblem } from "./event-context.ts";
import { parseJsonObject } from "./json.ts";
import { parseTimestamp } from "./timestamp.ts";

export const tenantSchema = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: "default: default" }),
);

/** Reads requests of that shape, an empty one as `{}`; throws `BusError` `bad_request` with the reason. */
export function decoderOf<S extends TSchema>(schema: S): (payload: Uint8Array) => Static<S> {
  const compiled = Compile(schema);
  return (payload) => {
    const value: unknown = payload.length === 0 ? {} : parseJsonObject(payload);
    if (compiled.Check(value)) return value as Static<S>;
    throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
  };
}

/** Epoch ms of a time in a request. */
export function timeFrom(field: string, value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined;
  const parsed = parseTimestamp(value);
  if (parsed === null)
    throw new BusError("bad_request", `${field}: expected ISO 8601 or epoch milliseconds`);
  return parsed;
}
