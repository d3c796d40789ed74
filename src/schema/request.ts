import { type Static, type TSchema, Type } from "typebox";
import { Compile } from "typebox/compile";
import { BusError } from "../errors.ts";
import { firstProblem } from "./event-context.ts";
import { parseJsonObject } from "./json.ts";
import { cleanText, requireCleanText } from "./plain-text.ts";
import { parseTimestamp } from "./timestamp.ts";

export const tenantSchema = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: "default: default" }),
);

/** An identity, of 1 to 128 characters that are not all blank. */
export const idSchema = Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" });

export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

/** Reads requests of that shape, an empty one as `{}`; throws `BusError` `bad_request` with the reason. */
export function decoderOf<S extends TSchema>(schema: S): (payload: Uint8Array) => Static<S> {
  const compiled = Compile(schema);
  return (payload) => {
    const value = parseRequest(payload);
    if (compiled.Check(value)) return value as Static<S>;
    throw new BusError("bad_request", firstProblem(compiled.Errors(value)));
  };
}

function parseRequest(payload: Uint8Array): unknown {
  return payload.length === 0 ? {} : parseJsonObject(payload);
}

/** Epoch ms of a time in a request. */
export function timeFrom(field: string, value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined;
  const parsed = parseTimestamp(value);
  if (parsed === null)
    throw new BusError("bad_request", `${field}: expected ISO 8601 or epoch milliseconds`);
  return parsed;
}

/** No other fields than those of the shape. */
export const strict = { additionalProperties: false } as const;

/**
 * As `decoderOf`, for what writes: the shape is `strict`, a field that it does not know is refused by its name, and so
 * is text with hidden characters.
 */
export function strictDecoderOf<S extends TSchema>(schema: S): (payload: Uint8Array) => Static<S> {
  const compiled = Compile(schema);
  return (payload) => {
    const value = parseRequest(payload);
    if (compiled.Check(value)) {
      requireCleanText(value);
      return value as Static<S>;
    }
    const problems = compiled.Errors(value);
    throw new BusError("bad_request", unknownField(problems) ?? firstProblem(problems));
  };
}

function unknownField(
  problems: readonly { readonly keyword: string; readonly instancePath: string; params: unknown }[],
): string | null {
  const found = problems.find(({ keyword }) => keyword === "additionalProperties");
  if (found === undefined) return null;
  const { additionalProperties = [] } = found.params as { additionalProperties?: string[] };
  const [name = ""] = additionalProperties;
  const path = [...found.instancePath.split("/").slice(1), name].join(".");
  return `${cleanText(path).slice(0, 128)}: is not a field that is known here`;
}
