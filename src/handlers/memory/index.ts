import { Type } from "../../schema/typebox.ts";
import type { ConcernDeclaration } from "../concern.ts";
import { type MemoryMetrics, memoryMetrics } from "./metrics.ts";

/** What is known of projects and of the world, and how far it may be believed. */
export const memory: ConcernDeclaration<object, MemoryMetrics> = {
  name: "memory",
  summary: "keeps insights of projects and of the world, judged and promoted by people",
  endpoints: {
    "memory-save": {
      does: "saves an entry of a project or, with a `promotion_policy`, of the world; a known `entry_id` is a `conflict`",
      may: "publish",
    },
    "memory-get": { does: "one entry; `not_found` where there is none", may: "read", get: true },
    "memory-list": {
      does: "entries by `scope` and `project_key`; pages by `cursor`",
      may: "read",
      get: true,
    },
    "memory-recall": {
      does: "the entries that match `tags` best; writes nothing",
      may: "recall",
      get: true,
    },
    "memory-feedback": {
      does: "a `verdict` on an entry, positive or negative; each `feedback_id` once",
      may: "publish",
    },
    "memory-promote": {
      does: "promotes an entry as its `policy` says, and keeps who did so",
      may: "admin",
    },
    "memory-remove": { does: "removes an entry; its promotions stay on record", may: "admin" },
    "memory-audit": {
      does: "promotions, the newest first, also of removed entries; pages by `cursor`",
      may: "read",
      get: true,
    },
    "memory-stats": {
      does: "how many entries there are by status and scope, and promotions by trigger",
      may: "read",
      get: true,
    },
  },
  tables: {
    "public.memory_entries": ["SELECT", "INSERT", "UPDATE", "DELETE"],
    "public.memory_feedback": ["SELECT", "INSERT", "DELETE"],
    // Append-only: who promoted what stays on record.
    "public.memory_promotions": ["SELECT", "INSERT"],
  },
  metrics: memoryMetrics,
  stats: {
    fields: {
      memory_promotions: Type.Record(Type.String(), Type.Integer(), { description: "by trigger" }),
      memory_entries: Type.Integer(),
    },
    async open({ database }) {
      const { openMemory } = await import("./store.ts");
      const store = openMemory(database);
      return async () => {
        const [counts, promotions] = await Promise.all([
          store.counts(),
          store.promotionsByTrigger(),
        ]);
        const entries = counts.reduce((sum, one) => sum + one.entries, 0);
        return { memory_entries: entries, memory_promotions: promotions };
      };
    },
  },
  open: async (context) => (await import("./open.ts")).openMemories(context),
};
