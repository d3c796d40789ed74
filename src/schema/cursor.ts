import { BusError } from "../errors.ts";
import { nullable } from "./request.ts";
import { latestTime } from "./timestamp.ts";
import { Compile, type Static, type TSchema, type TTuple, Type } from "./typebox.ts";

/** Of a request for a list. */
export const cursorSchema = Type.Optional(
  Type.String({ maxLength: 2_048, description: "of an earlier reply" }),
);
/** Of the reply. */
export const nextCursorSchema = nullable(Type.String({ description: "null: there are no more" }));

/** An identity in a place; PostgreSQL stores no U+0000. */
export const idInPlace = Type.String({ minLength: 1, maxLength: 128, pattern: "^[^\\u0000]+$" });

/** Epoch ms. */
export const timeInPlace = Type.Integer({ minimum: 0, maximum: latestTime });

/** A time as `isoTime` of `postgres/columns.ts` writes it, to the microsecond. */
export const momentInPlace = Type.Refine(
  Type.String({ pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,6})?Z$" }),
  (text) => !Number.isNaN(Date.parse(text)),
);

/** Places in a list, as text that means nothing to clients. */
export interface Cursor<T extends readonly unknown[]> {
  at(...place: T): string;
  /** Where the list goes on behind a page; null where there is no more. */
  behind<Row>(page: readonly Row[], isMore: boolean, place: (last: Row) => T): string | null;
  /** Throws `bad_request` for what is no cursor of a reply of ours. */
  placeOf(cursor: string): T;
}

/** `place`: by what the list is ordered. Whatever fits it reaches PostgreSQL, so it has to be as narrow as the columns. */
export function cursorOf<S extends TSchema[]>(place: TTuple<S>): Cursor<Static<TTuple<S>>> {
  const compiled = Compile(place);
  const at = (...values: Static<TTuple<S>>) =>
    Buffer.from(JSON.stringify(values)).toString("base64url");
  return {
    at,
    behind(page, isMore, placeOf) {
      const last = page.at(-1);
      return isMore && last !== undefined ? at(...placeOf(last)) : null;
    },
    placeOf(cursor) {
      const value = parsed(Buffer.from(cursor, "base64url").toString());
      if (compiled.Check(value)) return value;
      throw new BusError("bad_request", "invalid cursor: pass the `cursor` of a previous reply");
    },
  };
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
