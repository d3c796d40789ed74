import { BusError } from "../errors.ts";
import { type Problem, readerOf } from "./dialect.ts";
import { firstProblem } from "./event-context.ts";
import { parseJsonObject } from "./json.ts";
import { cleanText, requireCleanText } from "./plain-text.ts";
import { expectedTime, readTime, unset } from "./timestamp.ts";
import { type Static, type TSchema, Type } from "./typebox.ts";

export const tenantSchema = Type.Optional(
  Type.String({ minLength: 1, maxLength: 128, description: "default: default" }),
);

/** An identity, of 1 to 128 characters that are not all blank. */
export const idSchema = Type.String({ minLength: 1, maxLength: 128, pattern: "\\S" });

export const nullable = <S extends TSchema>(schema: S) => Type.Union([schema, Type.Null()]);

/**
 * Reads requests of that shape, an empty one as `{}`, in whatever spelling `dialect.ts` knows; throws `BusError`
 * `bad_request` with the reason.
 */
export function decoderOf<S extends TSchema>(schema: S): (payload: Uint8Array) => Static<S> {
  const { read } = readerOf(schema);
  return (payload) => read(parseRequest(payload));
}

function parseRequest(payload: Uint8Array): unknown {
  return payload.length === 0 ? {} : parseJsonObject(payload);
}

/** Epoch ms of a time in a request; before anything happened where it says "unset". */
export function timeFrom(field: string, value: string | number | undefined): number | undefined {
  if (value === undefined) return undefined;
  const parsed = readTime(value);
  if (parsed === null) throw new BusError("bad_request", `${field}: ${expectedTime}`);
  return parsed === unset ? 0 : parsed;
}

/** No other fields than those of the shape. */
export const strict = { additionalProperties: false } as const;

/**
 * As `decoderOf`, for what writes: the shape is `strict`, a field that it does not know is refused by its name, and so
 * is text with hidden characters.
 */
export function strictDecoderOf<S extends TSchema>(schema: S): (payload: Uint8Array) => Static<S> {
  const { read } = readerOf(schema, (problems) => unknownField(problems) ?? firstProblem(problems));
  return (payload) => {
    const value = read(parseRequest(payload));
    requireCleanText(value);
    return value;
  };
}

function unknownField(problems: readonly Problem[]): string | null {
  const found = problems.find(({ keyword }) => keyword === "additionalProperties");
  if (found === undefined) return null;
  const { additionalProperties = [] } = found.params as { additionalProperties?: string[] };
  const [name = ""] = additionalProperties;
  const path = [...found.instancePath.split("/").slice(1), name].join(".");
  return `${cleanText(path).slice(0, 128)}: is not a field that is known here`;
}
