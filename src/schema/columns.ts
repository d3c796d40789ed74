import { timestamp } from "drizzle-orm/pg-core";

/** What a jsonb column holds. */
export type Json = Record<string, unknown>;

/** A point in time that is read as text: as precise as PostgreSQL keeps it. */
export const textMoment = (name: string) => timestamp(name, { withTimezone: true, mode: "string" });

/** A point in time to the millisecond. */
export const moment = (name: string) => timestamp(name, { withTimezone: true, mode: "date" });
