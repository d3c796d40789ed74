import { bigint, pgTable, text } from "drizzle-orm/pg-core";
import { moment } from "./columns.ts";

/** Who may do what only one replica may do at a time, and until when. */
export const leases = pgTable("leases", {
  name: text("name").primaryKey(),
  holder: text("holder").notNull(),
  expiresAt: moment("expires_at").notNull(),
});

/** How far a stream has been read by the one reader that reads it in order: everything up to there is stored. */
export const streamPositions = pgTable("stream_positions", {
  /** Durable, stream and the stream's creation time: a recreated one counts from 1 again. */
  name: text("name").primaryKey(),
  position: bigint("position", { mode: "number" }).notNull(),
  updatedAt: moment("updated_at").notNull().defaultNow(),
});
